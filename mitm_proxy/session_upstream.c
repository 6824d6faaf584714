/* What the upstream answers, on its way down. */
#include "mitm_proxy/session_private.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/tls_stream.h"

/* Bytes of responses go down, or into the hands of rules. False: the session was closed. */
static bool flush(struct session *session, struct relay *relay)
{
    uv_buf_t runs[2];
    unsigned int count = relay_runs(relay, runs);
    if (!session_response_in_hand(session))
        return session_send_client(session, runs, count);
    session_hand_response_body(session, runs, count, false);
    return session->state != SESSION_CLOSED;
}

/* The message goes into the hands of rules, where one may be about it. */
static void hand_over(struct session *session, struct relay *relay)
{
    uv_buf_t skipped[2];
    struct relay before = *relay;
    before.good = before.message ? before.message : before.from;
    before.prefix = slice_of(NULL, 0);
    if (!flush(session, &before))
        return;
    relay->from = before.from;
    if (session_hand_response(session))
        (void)relay_runs(relay, skipped);
}

static void on_head(struct session *session, struct relay *relay)
{
    const struct http_head *head = http_parser_head(session->responses);
    bool final = head->status >= 200 || head->status == 101;
    session->waiting_since = uv_now(session->proxy->loop);
    if (final)
        session->first->status = head->status;
    if (final && session->proxy->rules)
        hand_over(session, relay);
    if (!hand_gathers(session->down)) /* which takes the digest itself */
        sha256_reset(session->response_sha);
}

bool session_finish_response(struct session *session)
{
    struct exchange *exchange = session->first;
    bool early = !exchange->request_whole || session_is_being_sent(session, exchange);
    if (early && !exchange->error)
        exchange->error = "request_incomplete";
    session->response_last =
        !http_parser_head(session->responses)->keep_alive || !session->first->keep_alive;
    session_finish_first(session);
    return early;
}

/* One that no hand has: what came is what the client gets. */
static bool finish_as_it_came(struct session *session)
{
    sha256_hex(session->response_sha, session->first->response_sha256);
    return session_finish_response(session);
}

void session_end_persistence(struct session *session)
{
    if (session->state != SESSION_OPEN || !session->response_last)
        return;
    if (session->first && session->first->refusal == 0) {
        session_fail_first(session, 502, "upstream_closed", "the response before was the last");
    } else if (!session->first) {
        session_end_client(session);
        session_end_upstream(session);
        session_set_state(session, SESSION_ENDING);
    }
}

/* The message is whole. A response is on record before its last bytes are on their way. */
static void on_end(struct session *session, struct relay *relay)
{
    uv_buf_t runs[2];
    if (session->first->status == 0)
        return; /* 100 or 103: the final response is still to come */
    if (session_response_in_hand(session)) {
        session_hand_response_body(session, runs, relay_runs(relay, runs), true);
        return;
    }
    if (session->first->status == 101) {
        if (session_send_client(session, runs, relay_runs(relay, runs)))
            session_switch(session);
        return;
    }
    bool early = finish_as_it_came(session);
    if (session_send_client(session, runs, relay_runs(relay, runs)) && early)
        session_end(session, true);
}

static void on_bad_response(struct session *session, struct relay *relay)
{
    const struct http_problem *problem = http_parser_problem(session->responses);
    bool untouched = relay->untouched;
    if (!flush(session, relay))
        return;
    session_close_upstream(session, true);
    if (untouched && session->first)
        session->response_started = false;
    if (session->first)
        session_fail_first(session, 502, "bad_response", problem->reason);
    else
        session_end(session, true);
}

/* True when the read is still to be looked at: a request waits for what comes. */
static bool expects_response(struct session *session)
{
    if (!session->first || session->first->sent_ns == 0)
        return false;
    if (session->first->head_request && http_parser_idle(session->responses))
        http_parser_expect_no_body(session->responses);
    return true;
}

/* Bytes that answer no request. A refusal that we still owe is sent all the same. */
static void on_unasked(struct session *session)
{
    session_close_upstream(session, true);
    if (!session->first)
        session_end(session, true);
}

static void hold_down(struct session *session, const char *data, size_t len)
{
    if (buf_append(&session->held_down, data, len))
        session_close(session, true, "no_memory");
}

static void take_responses(struct session *session, const char *data, size_t len)
{
    struct relay relay;
    enum http_event event = HTTP_EVENT_MORE;
    relay_begin(&relay, session->responses, data, len);
    do {
        if (session_response_leaves(session)) {
            hold_down(session, relay.pos, (size_t)(relay.end - relay.pos));
            return;
        }
        if (relay.pos < relay.end && !expects_response(session)) {
            if (flush(session, &relay))
                on_unasked(session);
            return;
        }
        event = relay_next(&relay);
        if (!session->first)
            break; /* all is read, and all is answered */
        if (event == HTTP_EVENT_HEAD && session_refuse_head(session, &relay))
            return;
        if (event == HTTP_EVENT_HEAD)
            on_head(session, &relay);
        else if (event == HTTP_EVENT_END)
            on_end(session, &relay);
        else if (event == HTTP_EVENT_ERROR)
            on_bad_response(session, &relay);
        if (session->state == SESSION_OPEN && session->first && session->first->refusal)
            return; /* a rule failed it: our answer comes instead */
        if (session->upstream_state == UPSTREAM_CLOSING)
            return; /* a rule kept a 101 from the client: what follows has no reader */
        /* The next head would overwrite the buffer that holds a prefix. */
        if (session->state == SESSION_OPEN && event == HTTP_EVENT_END && relay.prefix.len > 0)
            flush(session, &relay);
    } while (session->state == SESSION_OPEN && relay_goes_on(&relay, event));
    session_tunnel_down(session, slice_of(relay.pos, (size_t)(relay.end - relay.pos)));
    if (session->state != SESSION_OPEN || event == HTTP_EVENT_ERROR)
        return;
    bool in_hand = session_response_in_hand(session);
    if (flush(session, &relay) && !in_hand && !relay.untouched && session->first &&
        session->first->status)
        session->response_started = true;
}

/* A body that ends with the connection is whole now, and only now; but not where TLS was cut, which
 * anyone on the way could have done. */
static void end_response(struct session *session)
{
    enum http_event event = http_parser_eof(session->responses);
    if (event == HTTP_EVENT_END && session->upstream.cut)
        event = HTTP_EVENT_ERROR;
    if (event == HTTP_EVENT_END && session->first && session->first->status) {
        if (session_response_in_hand(session)) {
            session->response_closes = true;
            session_hand_response_body(session, NULL, 0, true);
            return;
        }
        bool early = finish_as_it_came(session);
        session_drop_exchanges(session, "dropped");
        session_end(session, early);
    } else if (session->first && session->first->refusal == 0 && session->first->sent_ns == 0 &&
               !session->response_last) {
        session_redial(session); /* it was idle too long for it: what is to come needs another */
    } else if (session->first && session->first->refusal == 0) {
        bool cut = event == HTTP_EVENT_ERROR;
        session_close_upstream(session, false);
        session_fail_first(session, 502, cut ? "response_incomplete" : "upstream_closed",
            cut ? "the upstream's response was cut short"
                : "the upstream closed without a response");
    } else if (!session->first) {
        session_end(session, false); /* a request that comes now was sent too late */
    }
}

/* What the upstream does not like about our TLS: with TLS 1.3 it says so after the handshake. */
static const char *tls_failure(const struct session *session)
{
    const struct tls *tls = session->upstream.live ? tls_stream_tls(&session->upstream) : NULL;
    return tls && *tls_problem(tls) ? tls_problem(tls) : NULL;
}

/* The upstream has broken off. */
static void fail_response(struct session *session)
{
    const char *problem = tls_failure(session);
    if (session->state == SESSION_OPENING)
        session_opening_ended(session);
    if (session->state == SESSION_OPEN && problem && !session->first)
        session_opening_failed(session, "upstream_tls", problem); /* before any request came */
    else if (session->state == SESSION_OPEN && problem)
        session_fail_upstream(session, 502, "upstream_tls", problem);
    else if (session->state == SESSION_OPEN && !session->first &&
             stream_queued(&session->client) > 0)
        session_end(session, false); /* an RST would take the last response back */
    else if (session->state == SESSION_TUNNEL ||
             (session->state == SESSION_OPEN && !session->first))
        session_close(session, true, "upstream_reset");
    else if (session->state == SESSION_OPEN)
        session_fail_first(session, 502, "upstream_reset", "the upstream reset the connection");
}

/* The upstream has ended, and all that came before is on its way. */
static void end_down(struct session *session)
{
    if (session->state == SESSION_TUNNEL)
        session_end_client(session);
    else if (session->state == SESSION_OPEN)
        end_response(session);
}

void session_take_held_down(struct session *session)
{
    while (session->state == SESSION_OPEN && session->held_down.len > 0 &&
           !session_response_leaves(session)) {
        struct buf held = session->held_down;
        buf_init(&session->held_down, SESSION_HELD_MAX);
        take_responses(session, held.data, held.len);
        buf_deinit(&held);
    }
    if (session_response_leaves(session))
        return;
    enum upstream_end due = session->end_due;
    session->end_due = UPSTREAM_END_NONE;
    if (due == UPSTREAM_END_FIN)
        end_down(session);
    else if (due == UPSTREAM_END_ERROR)
        fail_response(session);
}

static void on_upstream_data(struct stream *stream, const char *data, size_t len)
{
    struct session *session = stream->data;
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)data, (unsigned int)len);
    observers_bytes(&session->proxy->observers, &session->connection, LEG_UPSTREAM,
        DIRECTION_RESPONSE, &run, 1);
    if (session->state == SESSION_OPENING)
        session_opening_spoken(session, slice_of(data, len));
    else if (session->state == SESSION_TUNNEL)
        session_tunnel_down(session, slice_of(data, len));
    else if (session->state == SESSION_OPEN)
        take_responses(session, data, len);
    session_settle(session);
}

static void on_upstream_eof(struct stream *stream)
{
    struct session *session = stream->data;
    session->upstream_eof = true;
    observers_leg_ended(
        &session->proxy->observers, &session->connection, LEG_UPSTREAM, DIRECTION_RESPONSE, false);
    if (session->state == SESSION_OPENING)
        session_opening_ended(session);
    if (session_response_leaves(session))
        session->end_due = UPSTREAM_END_FIN; /* acted on when that has gone down */
    else
        end_down(session);
    session_settle(session);
}

static void on_upstream_error(struct stream *stream, int status)
{
    struct session *session = stream->data;
    observers_leg_ended(&session->proxy->observers, &session->connection, LEG_UPSTREAM,
        DIRECTION_RESPONSE, status == UV_ECONNRESET);
    if (session->upstream_state == UPSTREAM_DIALING) {
        session_fail_tls(session);
        session_settle(session);
        return;
    }
    session_close_upstream(session, false);
    if (session_response_leaves(session))
        session->end_due = UPSTREAM_END_ERROR; /* when that has gone down */
    else
        fail_response(session);
    session_settle(session);
}

static void on_upstream_secured(struct stream *stream)
{
    session_upstream_secured(stream->data);
}

static void on_upstream_closed(struct stream *stream)
{
    session_upstream_closed(stream->data);
    session_on_closed(stream);
}

/* The rest is left to the reading side: an early response may still be waiting there. */
static void on_upstream_lost(struct stream *stream, int status)
{
    if (status == UV_ENOMEM)
        session_close(stream->data, true, "no_memory");
}

static void on_upstream_drain(struct stream *stream)
{
    session_settle(stream->data);
}

const struct stream_events session_upstream_events = {
    .on_data = on_upstream_data,
    .on_eof = on_upstream_eof,
    .on_error = on_upstream_error,
    .on_drain = on_upstream_drain,
    .on_closed = on_upstream_closed,
    .on_secured = on_upstream_secured,
    .on_lost = on_upstream_lost,
};
