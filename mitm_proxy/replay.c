#include "mitm_proxy/replay.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/dial.h"
#include "lib/http_parser.h"
#include "lib/tls_stream.h"
#include "mitm_proxy/changes.h"
#include "mitm_proxy/upstream_failure.h"

#define REQUEST_MAX SIZE_MAX /* it was gathered, and so is within --rule-body-max */
#define BESIDES 4096         /* bytes that a replay takes besides its request, at least */
#define CUT_OFF_MS 1         /* of the loop's time at most */

enum replay_state {
    REPLAY_WAITING, /* for its time */
    REPLAY_DIALING,
    REPLAY_SENT,
    REPLAY_CLOSING, /* one request is over; another may follow */
};

struct replay {
    struct proxy *proxy;
    struct replay *next, **link;
    enum replay_state state;
    struct rules *rules; /* which own the rule */
    const struct rule *rule;
    const struct rule_action *action;
    uint64_t of; /* id of the exchange that is replayed */
    uint64_t times_left, after_ms;
    bool cut, aborted;
    struct buf request;
    size_t keeps;          /* bytes, by which proxy->replays_keep goes down in the end */
    struct exchange *like; /* what all of them have in common */
    struct destination to;

    /* Of the one that is under way: */
    struct exchange *exchange;
    struct connection connection;
    struct stream upstream;
    struct dial *dial;
    struct http_parser *responses;
    struct sha256 *sha;
    uv_timer_t timer;
    bool timer_live;
};

static void free_replay(struct replay *replay)
{
    if (!replay)
        return;
    replay->proxy->replays_keep -= replay->keeps;
    buf_deinit(&replay->request);
    exchange_free(replay->like);
    exchange_free(replay->exchange);
    http_parser_free(replay->responses);
    sha256_free(replay->sha);
    rules_free(replay->rules);
    free(replay);
}

bool replay_has_room(const struct proxy *proxy, size_t bytes)
{
    return proxy->replays_keep + BESIDES + bytes <= REPLAYS_KEEP_MAX;
}

struct replay *replay_new(struct proxy *proxy, const struct exchange *exchange,
    struct slice request, bool cut, const struct rule *rule, struct rules *rules,
    const struct rule_action *action)
{
    bool once = action->kind == ACTION_DUPLICATE;
    struct replay *replay = calloc(1, sizeof *replay);
    if (!replay)
        return NULL;
    replay->proxy = proxy;
    replay->rules = rules_ref(rules);
    replay->rule = rule;
    replay->action = action;
    replay->of = exchange->id;
    replay->to = *exchange->to;
    replay->times_left = once ? 1 : action->replay.times;
    replay->after_ms = once ? 0 : action->replay.after_ms;
    replay->cut = cut;
    buf_init(&replay->request, REQUEST_MAX);
    replay->like = exchange_copy_request(exchange);
    replay->sha = sha256_new();
    if (buf_append(&replay->request, request.data, request.len) || !replay->like || !replay->sha) {
        free_replay(replay);
        return NULL;
    }
    replay->keeps = request.len + BESIDES;
    proxy->replays_keep += replay->keeps;
    return replay;
}

void replay_push(struct replay **list, struct replay *replay)
{
    replay->next = *list;
    *list = replay;
}

struct replay *replay_next(const struct replay *replay)
{
    return replay->next;
}

void replay_discard(struct replay **list)
{
    while (*list) {
        struct replay *replay = *list;
        *list = replay->next;
        free_replay(replay);
    }
}

static void set_timer(struct replay *replay, uint64_t ms);
static void begin(struct replay *replay);

static void leave(struct replay *replay)
{
    struct proxy *proxy = replay->proxy;
    *replay->link = replay->next;
    if (replay->next)
        replay->next->link = replay->link;
    free_replay(replay);
    proxy->open_replays--;
    proxy_session_gone(proxy);
}

static void on_timer_closed(uv_handle_t *handle)
{
    leave(handle->data);
}

/* The loop has the time of its turn, cut to milliseconds: no wait is to be too short for that. */
static void wait_for_time(struct replay *replay)
{
    replay->state = REPLAY_WAITING;
    uv_update_time(replay->proxy->loop);
    set_timer(replay, replay->after_ms > 0 ? replay->after_ms + CUT_OFF_MS : 0);
}

/* All handles of one request are closed: the next one, or the end. */
static void go_on(struct replay *replay)
{
    if (replay->times_left > 0 && !replay->aborted && !replay->proxy->draining) {
        wait_for_time(replay);
        return;
    }
    uv_close((uv_handle_t *)&replay->timer, on_timer_closed);
}

static void on_stream_closed(struct stream *stream)
{
    struct replay *replay = stream->data;
    observers_connection_closed(&replay->proxy->observers, &replay->connection);
    go_on(replay);
}

/* The request is over, with that error or none. */
static void finish(struct replay *replay, const char *error, const char *reason)
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
        go_on(replay);
}

static void fail(struct replay *replay, int err)
{
    struct upstream_failure failure = upstream_failure(err);
    finish(replay, failure.word, failure.reason);
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
    finish(replay, NULL, NULL);
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct replay *replay = stream->data;
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)data, (unsigned int)len);
    enum http_event event = HTTP_EVENT_HEAD;
    observers_bytes(
        &replay->proxy->observers, &replay->connection, LEG_UPSTREAM, DIRECTION_RESPONSE, &run, 1);
    set_timer(replay, replay->proxy->config->idle_timeout);
    while (replay->state == REPLAY_SENT && (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END)) {
        size_t used;
        event = http_parser_feed(replay->responses, data, len, &used);
        data += used;
        len -= used;
        const struct http_head *head = http_parser_head(replay->responses);
        if (event == HTTP_EVENT_HEAD && head->status >= 200)
            replay->exchange->status = head->status;
        else if (event == HTTP_EVENT_END && head->status >= 200)
            finish_whole(replay);
        else if (event == HTTP_EVENT_ERROR)
            finish(replay, "bad_response", http_parser_problem(replay->responses)->reason);
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
        finish(replay, "upstream_closed", "the upstream closed without a whole response");
}

static void on_error(struct stream *stream, int status)
{
    struct replay *replay = stream->data;
    observers_leg_ended(&replay->proxy->observers, &replay->connection, LEG_UPSTREAM,
        DIRECTION_RESPONSE, status == UV_ECONNRESET);
    if (replay->state == REPLAY_DIALING)
        finish(replay, "upstream_tls", "the TLS handshake failed");
    else
        finish(replay, "upstream_reset", "the upstream reset the connection");
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
    set_timer(replay, replay->proxy->config->response_timeout);
    if (err)
        finish(replay, "upstream_reset", "the upstream reset the connection");
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
        fail(replay, status);
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
        finish(replay, "upstream_tls", "the TLS handshake failed");
}

/* The exchange of one more request. */
static struct exchange *new_exchange(struct replay *replay)
{
    struct exchange *exchange = exchange_copy_request(replay->like);
    if (!exchange)
        return NULL;
    static const char *const name[] = {"of"};
    struct change change = {
        .out = &exchange->changes,
        .rule = replay->rule->name,
        .action = rule_action_name(replay->action->kind),
        .concealed = replay->rule->concealed,
    };
    exchange->id = replay->rule->concealed ? 0 : ++replay->proxy->last_exchange;
    exchange->connection = &replay->connection;
    change_note_numbers(&change, name, &replay->of, 1);
    if (!replay->rule->concealed)
        exchange_note_rule(exchange, replay->rule->name);
    return exchange;
}

static void begin(struct replay *replay)
{
    const struct hostport *to = &replay->to.origin;
    int err = UV_ENOMEM;
    replay->times_left--;
    replay->connection = (struct connection){.id = ++replay->proxy->last_connection};
    snprintf(replay->connection.upstream, sizeof replay->connection.upstream,
        strchr(to->host, ':') ? "[%s]:%u" : "%s:%u", to->host, to->port);
    http_parser_free(replay->responses);
    replay->responses = http_parser_new(HTTP_KIND_RESPONSE, on_body, replay);
    replay->exchange = new_exchange(replay);
    if (!replay->exchange || !replay->responses) {
        replay->times_left = 0;
        go_on(replay);
        return;
    }
    sha256_reset(replay->sha);
    if (replay->exchange->head_request)
        http_parser_expect_no_body(replay->responses);
    replay->state = REPLAY_DIALING;
    set_timer(replay, replay->proxy->config->connect_timeout);
    replay->dial = dial_start(replay->proxy->loop, to, &replay->upstream, &upstream_events, replay,
        on_dialled, replay, &err);
    if (!replay->dial)
        fail(replay, err);
}

static void on_timer(uv_timer_t *timer)
{
    struct replay *replay = timer->data;
    if (replay->state == REPLAY_WAITING)
        begin(replay);
    else if (replay->state == REPLAY_DIALING)
        fail(replay, UV_ETIMEDOUT);
    else
        finish(replay, "upstream_timeout", "the upstream did not answer in time");
}

static void set_timer(struct replay *replay, uint64_t ms)
{
    if (replay->state != REPLAY_CLOSING)
        uv_timer_start(&replay->timer, on_timer, ms, 0);
}

/* The request has gone, as EXCHANGE tells. */
static void start(struct replay *replay, const struct exchange *exchange)
{
    struct proxy *proxy = replay->proxy;
    replay->like->request_bytes = exchange->request_bytes;
    memcpy(replay->like->request_sha256, exchange->request_sha256, sizeof exchange->request_sha256);
    proxy->open_connections++;
    proxy->open_replays++;
    replay->next = proxy->replays;
    replay->link = &proxy->replays;
    if (replay->next)
        replay->next->link = &replay->next;
    proxy->replays = replay;
    uv_timer_init(proxy->loop, &replay->timer);
    replay->timer.data = replay;
    wait_for_time(replay);
}

void replay_start(struct replay **list, const struct exchange *exchange)
{
    while (*list) {
        struct replay *replay = *list;
        *list = replay->next;
        if (replay->proxy->draining)
            free_replay(replay);
        else
            start(replay, exchange);
    }
}

void replay_start_copies(struct replay **list, const struct exchange *exchange)
{
    while (*list) {
        struct replay *replay = *list;
        if (replay->action->kind != ACTION_DUPLICATE) {
            list = &replay->next;
            continue;
        }
        *list = replay->next;
        start(replay, exchange);
    }
}

void replay_abort(struct replay *replay)
{
    replay->aborted = true;
    if (replay->state == REPLAY_WAITING)
        replay_drain(replay);
    else
        finish(replay, "shutdown", NULL);
}

void replay_drain(struct replay *replay)
{
    replay->times_left = 0;
    if (replay->state == REPLAY_WAITING && !uv_is_closing((uv_handle_t *)&replay->timer))
        go_on(replay);
}
