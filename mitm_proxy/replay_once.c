/* One request that is sent again: dialled, sent, answered, and on record. */
#include <string.h>

#include "lib/clock.h"
#include "lib/tls_stream.h"
#include "mitm_proxy/changes.h"
#include "mitm_proxy/replay_private.h"
#include "mitm_proxy/upstream_failure.h"

static void on_stream_closed(struct stream *stream)
{
    struct replay *replay = stream->data;
    observers_connection_closed(&replay->proxy->observers, &replay->connection);
    replay_go_on(replay);
}

void replay_finish(struct replay *replay, const char *error, const char *reason)
{
    struct observers *observers = &replay->proxy->observers;
    struct exchange *exchange = replay->exchange;
    bool live = replay->upstream.live;
    if (replay->state == REPLAY_CLOSING)
        return;
    replay->state = REPLAY_CLOSING;
    uv_timer_stop(&replay->timer);
    exchange->error = error;
    exchange->reason = reason;
    exchange->finished_ns = clock_monotonic_ns();
    if (!replay->rule->concealed)
        observers_exchange(observers, exchange);
    exchange_free(exchange);
    replay->exchange = NULL;
    if (replay->dial)
        dial_cancel(replay->dial);
    replay->dial = NULL;
    if (replay->connection.legs[LEG_UPSTREAM].open)
        observers_leg_ended(
            observers, &replay->connection, LEG_UPSTREAM, DIRECTION_REQUEST, error != NULL);
    if (live && error)
        stream_reset(&replay->upstream);
    else if (live)
        stream_close(&replay->upstream);
    else
        replay_go_on(replay);
}

void replay_fail(struct replay *replay, int err)
{
    struct upstream_failure failure = upstream_failure(err);
    replay_finish(replay, failure.word, failure.reason);
}

static void on_body(void *arg, const char *data, size_t len)
{
    struct replay *replay = arg;
    sha256_update(replay->sha, data, len);
    if (replay->exchange)
        replay->exchange->response_bytes += len;
}

static void finish_whole(struct replay *replay)
{
    sha256_hex(replay->sha, replay->exchange->response_sha256);
    replay_finish(replay, NULL, NULL);
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct replay *replay = stream->data;
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)data, (unsigned int)len);
    enum http_event event = HTTP_EVENT_HEAD;
    observers_bytes(
        &replay->proxy->observers, &replay->connection, LEG_UPSTREAM, DIRECTION_RESPONSE, &run, 1);
    replay_set_timer(replay, replay->proxy->config->idle_timeout);
    while (replay->state == REPLAY_SENT && (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END)) {
        size_t used;
        event = http_parser_feed(replay->responses, data, len, &used);
        data += used;
        len -= used;
        const struct http_head *head = http_parser_head(replay->responses);
        if (event == HTTP_EVENT_HEAD && (head->status >= 200 || head->status == 101))
            replay->exchange->status = head->status;
        else if (event == HTTP_EVENT_END && head->status == 101)
            replay_finish(replay, NULL, NULL); /* what follows has no reader */
        else if (event == HTTP_EVENT_END && head->status >= 200)
            finish_whole(replay);
        else if (event == HTTP_EVENT_ERROR)
            replay_finish(replay, "bad_response", http_parser_problem(replay->responses)->reason);
    }
}

static void on_eof(struct stream *stream)
{
    struct replay *replay = stream->data;
    observers_leg_ended(
        &replay->proxy->observers, &replay->connection, LEG_UPSTREAM, DIRECTION_RESPONSE, false);
    if (replay->state != REPLAY_SENT)
        return;
    if (http_parser_eof(replay->responses) == HTTP_EVENT_END && replay->exchange->status)
        finish_whole(replay);
    else
        replay_finish(replay, "upstream_closed", "the upstream closed without a whole response");
}

static void on_error(struct stream *stream, int status)
{
    struct replay *replay = stream->data;
    observers_leg_ended(&replay->proxy->observers, &replay->connection, LEG_UPSTREAM,
        DIRECTION_RESPONSE, status == UV_ECONNRESET);
    if (replay->state == REPLAY_DIALING)
        replay_finish(replay, "upstream_tls", "the TLS handshake failed");
    else
        replay_finish(replay, "upstream_reset", "the upstream reset the connection");
}

static void on_secured(struct stream *stream);

static const struct stream_events upstream_events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_error = on_error,
    .on_closed = on_stream_closed,
    .on_secured = on_secured,
};

/* The upstream is there, and TLS where that is spoken. */
static void send_request(struct replay *replay)
{
    struct connection *connection = &replay->connection;
    uv_buf_t run = uv_buf_init(replay->request.data, (unsigned int)replay->request.len);
    replay->state = REPLAY_SENT;
    observers_bytes(
        &replay->proxy->observers, connection, LEG_UPSTREAM, DIRECTION_REQUEST, &run, 1);
    replay->exchange->sent_ns = clock_monotonic_ns();
    int err = stream_write(&replay->upstream, &run, 1);
    if (!err && replay->cut) {
        observers_leg_ended(
            &replay->proxy->observers, connection, LEG_UPSTREAM, DIRECTION_REQUEST, false);
        err = stream_shutdown(&replay->upstream);
    }
    replay_set_timer(replay, replay->proxy->config->response_timeout);
    if (err)
        replay_finish(replay, "upstream_reset", "the upstream reset the connection");
}

static void on_secured(struct stream *stream)
{
    send_request(stream->data);
}

static void name_upstream(struct replay *replay)
{
    struct connection *connection = &replay->connection;
    struct connection_leg *leg = &connection->legs[LEG_UPSTREAM];
    leg->open = true;
    (void)stream_local_address(&replay->upstream, &leg->opener);
    (void)stream_peer_address(&replay->upstream, &leg->server);
    sockaddr_text(
        (struct sockaddr *)&leg->server, connection->upstream, sizeof connection->upstream);
    sockaddr_text((struct sockaddr *)&leg->opener, connection->upstream_local,
        sizeof connection->upstream_local);
    observers_leg_opened(&replay->proxy->observers, connection, LEG_UPSTREAM);
}

static void on_dialled(void *arg, int status)
{
    struct replay *replay = arg;
    const struct destination *to = &replay->to;
    replay->dial = NULL;
    if (status) {
        replay_fail(replay, status);
        return;
    }
    name_upstream(replay);
    int err = stream_read_start(&replay->upstream);
    if (!err && to->tls)
        err = tls_stream_start(&replay->upstream, replay->proxy->upstream_tls,
            *to->server_name ? to->server_name : to->origin.host, slice_of(NULL, 0));
    else if (!err)
        send_request(replay);
    if (err)
        replay_finish(replay, "upstream_tls", "the TLS handshake failed");
}

/* The exchange of one more request. */
static struct exchange *new_exchange(struct replay *replay)
{
    struct exchange *exchange = exchange_copy_request(replay->like, replay->like->target);
    if (!exchange)
        return NULL;
    static const char *const name[] = {"of"};
    struct change change = {
        .out = &exchange->changes,
        .by = replay->action->by,
        .concealed = replay->rule->concealed,
    };
    exchange->id = replay->rule->concealed ? 0 : proxy_next_exchange(replay->proxy);
    exchange->connection = &replay->connection;
    change_note_numbers(&change, name, &replay->of, 1);
    if (!replay->rule->concealed)
        exchange_note_rule(exchange, replay->rule->name);
    return exchange;
}

void replay_begin(struct replay *replay)
{
    const struct hostport *to = &replay->to.origin;
    int err = UV_ENOMEM;
    replay->times_left--;
    replay->connection = (struct connection){.id = proxy_next_connection(replay->proxy)};
    snprintf(replay->connection.upstream, sizeof replay->connection.upstream,
        strchr(to->host, ':') ? "[%s]:%u" : "%s:%u", to->host, to->port);
    http_parser_free(replay->responses);
    replay->responses = http_parser_new(HTTP_KIND_RESPONSE, on_body, replay);
    replay->exchange = new_exchange(replay);
    if (!replay->exchange || !replay->responses) {
        replay->times_left = 0;
        replay_go_on(replay);
        return;
    }
    sha256_reset(replay->sha);
    if (replay->exchange->head_request)
        http_parser_expect_no_body(replay->responses);
    replay->state = REPLAY_DIALING;
    replay_set_timer(replay, replay->proxy->config->connect_timeout);
    replay->dial = dial_start(replay->proxy->loop, to, &replay->upstream, &upstream_events, replay,
        on_dialled, replay, &err);
    if (!replay->dial)
        replay_fail(replay, err);
}
