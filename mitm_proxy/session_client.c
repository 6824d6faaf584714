/* What the client sends, on its way up. */
#include "mitm_proxy/session_private.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/http_target.h"

bool session_must_hold(const struct session *session)
{
    if (session->state != SESSION_OPEN || session->receiving)
        return session->state == SESSION_OPEN && session->turn_due;
    /* Until the upstream has said 101 or something else, nobody knows what the next bytes are. */
    bool undecided = session->last && session->last->upgrade && session->last->request_whole;
    bool connects = session->last && session->last->connects;
    return undecided || connects || session->in_flight >= SESSION_PIPELINE_MAX ||
           session_rules_hold_requests(session);
}

static void hold(struct session *session, const char *data, size_t len)
{
    if (buf_append(&session->held, data, len))
        session_close(session, true, "no_memory");
}

/* The rest of what the client sends is of no interest: its last exchange has been refused. */
void session_refuse_request(struct session *session, struct exchange *exchange, int status,
    const char *word, const char *reason)
{
    session_forget_hands(session, exchange);
    session_refuse(exchange, status, word, reason);
    session->request_end = true;
    session->head_since = 0;
}

/* True when the body would be larger than allowed, by its own word or by what came. */
static bool too_large(const struct session *session, const struct http_head *head)
{
    uint64_t max = session->proxy->config->body_max;
    return max && ((head->has_content_length && head->content_length > max) ||
                      (session->receiving && session->receiving->request_bytes > max));
}

/* Each request says where it goes. */
static bool is_forward(const struct session *session)
{
    return session->proxy->config->mode == MODE_FORWARD && !session->bound;
}

/* No client may ask so (RFC 9110 §10.1.1). Some servers send a 100 and forget the request: then the
 * next one's response would be taken for the answer to it. */
static bool expects_for_nothing(const struct http_head *head)
{
    return head->expect_continue && !head->chunked && head->content_length == 0;
}

/* What the head alone decides. True when the request may be passed on. */
static bool admit(struct session *session, struct exchange *exchange, const struct http_head *head)
{
    if (session->overloaded)
        session_refuse_request(
            session, exchange, 503, "overloaded", "too many connections at once");
    else if (atomic_load(&session->proxy->shared->failing_records) > 0)
        session_refuse_request(session, exchange, 503, "recording_failed",
            "exchanges cannot be recorded, and none may go unrecorded");
    else if (slice_is(head->method, "CONNECT") && !is_forward(session))
        session_refuse_request(session, exchange, 501, "not_implemented",
            "CONNECT asks for a forward proxy, and this is none");
    else if (expects_for_nothing(head))
        session_refuse_request(
            session, exchange, 400, "bad_request", "Expect: 100-continue without content");
    else if (too_large(session, head))
        session_refuse_request(
            session, exchange, 413, "body_too_large", "the body is over the limit");
    else if (is_forward(session))
        session_route(session, exchange, head);
    return exchange->refusal == 0 && session->state == SESSION_OPEN && !session->turn_due;
}

/* The Host value that the upstream should see, where --rewrite-host is set; else absent. */
static struct slice new_host(const struct session *session, const struct http_head *head)
{
    struct slice scheme = http_target_scheme(head->target);
    bool other =
        scheme.data && !slice_is_nocase(scheme, "http") && !slice_is_nocase(scheme, "https");
    if (!session->proxy->config->rewrite_host || !http_head_field(head, "Host").data || other)
        return slice_of(NULL, 0);
    return slice_str(session->to->authority);
}

/* The head with another Host: one span replaced, every other byte as it came. */
static int head_with_host(
    struct session *session, const struct http_head *head, struct slice host, struct buf *out)
{
    struct slice old = http_head_field(head, "Host"), bytes = head->bytes;
    const char *rest = old.data + old.len;
    int err = buf_append(out, bytes.data, (size_t)(old.data - bytes.data));
    if (!err)
        err = buf_append(out, host.data, host.len);
    if (!err)
        err = buf_append(out, rest, (size_t)(bytes.data + bytes.len - rest));
    exchange_note_field(session->last, "Host", old, host);
    return err;
}

/* The head as it goes up where that is not as it came: OUT stays empty where it is. */
static int rewrite_head(struct session *session, const struct http_head *head, struct buf *out)
{
    struct slice host = new_host(session, head);
    /* A target that names the host has to agree with Host (RFC 9112 §3.2.2). */
    if (is_forward(session) || (host.data && http_target_authority(head->target).data))
        return session_routed_head(session, head, out);
    if (host.data && !slice_equal(host, http_head_field(head, "Host")))
        return head_with_host(session, head, host, out);
    return 0;
}

static void flush(struct session *session, struct relay *relay)
{
    uv_buf_t runs[2];
    unsigned int count = relay_runs(relay, runs);
    if (session->state != SESSION_OPEN || count == 0)
        return;
    if (session_request_in_hand(session))
        session_hand_request_body(session, runs, count, false);
    else
        session_send_upstream(session, runs, count);
}

/* Sends what came before the message whose head is there now. */
static void flush_before(struct session *session, struct relay *relay)
{
    struct relay before = *relay;
    before.good = before.message ? before.message : before.from;
    before.prefix = slice_of(NULL, 0);
    flush(session, &before);
    relay->from = before.from;
}

/* Sends a head that was changed, or hands it over to the rules; true: the bytes that came are done
 * with. */
static bool pass_bytes(struct session *session, const struct http_head *head, struct slice bytes)
{
    struct hand_head hand = {
        .head = head,
        .bytes = bytes.len > 0 ? bytes : head->bytes,
        .framing = head->chunked ? MESSAGE_CHUNKED : MESSAGE_LENGTH,
    };
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
    session->last->to = session->to;
    if (session->proxy->rules && session_hand_request(session, &hand))
        return true;
    if (session->state != SESSION_OPEN)
        return false;
    session->last->sent_ns = clock_monotonic_ns();
    if (bytes.len > 0)
        session_send_upstream(session, &run, 1);
    return bytes.len > 0;
}

/* The request may be passed on: as it came, with another head, or in the hands of rules. */
static void pass_head(struct session *session, struct relay *relay)
{
    const struct http_head *head = http_parser_head(relay->parser);
    uv_buf_t skipped[2];
    struct buf out;
    if (session->last->connects) {
        (void)relay_runs(relay, skipped);
        session_reach_upstream(session);
        return;
    }
    buf_init(&out, SIZE_MAX);
    if (session->proxy->rules || session->proxy->config->rewrite_host || is_forward(session))
        flush_before(session, relay);
    if (rewrite_head(session, head, &out))
        session_close(session, true, "no_memory");
    if (session->state == SESSION_OPEN && pass_bytes(session, head, slice_of(out.data, out.len)))
        (void)relay_runs(relay, skipped);
    buf_deinit(&out);
}

static void on_head(struct session *session, struct relay *relay)
{
    const struct http_head *head = http_parser_head(relay->parser);
    struct exchange *exchange = session_add_exchange(session);
    if (!exchange)
        return;
    session->head_since = 0;
    session->receiving = exchange;
    if (exchange_set_head(exchange, head)) {
        session_close(session, true, "no_memory");
        return;
    }
    session_ask_tunnel(session, exchange, head);
    if (session->state == SESSION_OPEN && admit(session, exchange, head)) {
        pass_head(session, relay);
    } else if (session->turn_due) { /* the parser keeps the head */
        uv_buf_t skipped[2];
        flush_before(session, relay);
        (void)relay_runs(relay, skipped);
    }
    if (!hand_gathers(session->up)) /* which takes the digest itself */
        sha256_reset(session->request_sha);
}

static void on_end(struct session *session, struct exchange *exchange, struct relay *relay)
{
    if (!hand_gathers(session->up))
        sha256_hex(session->request_sha, exchange->request_sha256);
    if (session->peek.len == exchange->request_bytes && session->peek.len > 0)
        exchange_read_names(exchange, slice_of(session->peek.data, session->peek.len));
    buf_deinit(&session->peek);
    exchange->request_whole = true;
    session->receiving = NULL;
    if (exchange == session->first && session->upstream_state == UPSTREAM_OPEN)
        session->waiting_since = uv_now(session->proxy->loop);
    if (session_request_in_hand(session)) {
        uv_buf_t runs[2];
        session_hand_request_body(session, runs, relay_runs(relay, runs), true);
        return;
    }
    if (relay->prefix.len > 0)
        flush(session, relay); /* it is bytes of the head */
    http_parser_forget_head(session->requests);
}

static void on_refused(struct session *session, const struct relay *relay)
{
    const struct http_problem *problem = http_parser_problem(relay->parser);
    struct exchange *exchange = session->receiving;
    if (strcmp(problem->word, "after_close") == 0) {
        session->request_end = true; /* the last exchange stands, what follows is dropped */
        return;
    }
    if (!exchange)
        exchange = session_add_exchange(session);
    if (exchange)
        session_refuse_request(session, exchange, problem->status, problem->word, problem->reason);
}

/* More of the content came, or its end. */
static void on_body(struct session *session, struct relay *relay, enum http_event event)
{
    struct exchange *exchange = session->receiving;
    if (too_large(session, http_parser_head(relay->parser)))
        session_refuse_request(
            session, exchange, 413, "body_too_large", "the body is over the limit");
    else if (event == HTTP_EVENT_END)
        on_end(session, exchange, relay);
}

/* Takes what can be taken of DATA; the rest is held. */
void session_take_requests(struct session *session, const char *data, size_t len)
{
    struct relay relay;
    enum http_event event = HTTP_EVENT_MORE;
    relay_begin(&relay, session->requests, data, len);
    do {
        const char *message = relay.message; /* an END makes it the next one's */
        if (session_must_hold(session)) {
            hold(session, relay.pos, (size_t)(relay.end - relay.pos));
            break;
        }
        event = relay_next(&relay);
        if (event == HTTP_EVENT_HEAD)
            on_head(session, &relay);
        else if (event == HTTP_EVENT_ERROR)
            on_refused(session, &relay);
        else if (session->receiving)
            on_body(session, &relay, event);
        if (session->request_end && session->receiving && session->receiving->refusal) {
            relay.good = message ? message : relay.from;
            if (!message)
                relay.prefix = slice_of(NULL, 0);
        }
    } while (
        session->state == SESSION_OPEN && !session->request_end && relay_goes_on(&relay, event));
    flush(session, &relay);
    bool in_head =
        http_parser_partial_head(session->requests).len > 0 && !http_parser_idle(session->requests);
    if (in_head && !session->head_since && !session->request_end)
        session->head_since = uv_now(session->proxy->loop);
}

void session_take_turn(struct session *session)
{
    struct exchange *exchange = session->last;
    struct relay relay;
    struct buf held = session->held;
    if (session->state != SESSION_OPEN || session->first != exchange)
        return;
    session->turn_due = false;
    relay_begin(&relay, session->requests, held.data, 0);
    if (admit(session, exchange, http_parser_head(session->requests)))
        pass_head(session, &relay);
    if (session->state != SESSION_OPEN || session->request_end)
        return;
    buf_init(&session->held, SESSION_HELD_MAX);
    session_take_requests(session, held.data, held.len);
    buf_deinit(&held);
}

void session_take_held(struct session *session)
{
    while (session->state == SESSION_OPEN && session->held.len > 0 && !session->request_end &&
           !session_must_hold(session)) {
        struct buf held = session->held;
        buf_init(&session->held, SESSION_HELD_MAX);
        session_take_requests(session, held.data, held.len);
        buf_deinit(&held);
    }
    if (session->request_end)
        buf_deinit(&session->held);
}

/* No request is under way and none will come: the upstream gets to know it by a FIN. */
static void client_ended(struct session *session)
{
    struct exchange *exchange = session->receiving;
    session->request_end = true;
    if (http_parser_eof(session->requests) != HTTP_EVENT_ERROR) {
        session_end_upstream(session);
        return;
    }
    if (!exchange)
        exchange = session_add_exchange(session);
    if (exchange)
        session_refuse_request(session, exchange, 400, "request_incomplete",
            "the connection ended before the request did");
}

static void on_client_data(struct stream *stream, const char *data, size_t len)
{
    struct session *session = stream->data;
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)data, (unsigned int)len);
    if (session_opening_over(session)) /* else it is not known yet whether this is plaintext */
        observers_bytes(&session->proxy->observers, &session->connection, LEG_CLIENT,
            DIRECTION_REQUEST, &run, 1);
    session->client_active = uv_now(session->proxy->loop);
    if (session->state == SESSION_OPENING)
        session_opening_data(session, data, len, false);
    else if (session->state == SESSION_TUNNEL)
        session_tunnel_up(session, slice_of(data, len));
    else if (session->state == SESSION_OPEN && !session->request_end)
        session_take_requests(session, data, len);
    session_settle(session);
}

static void on_client_eof(struct stream *stream)
{
    struct session *session = stream->data;
    session->client_eof = true;
    session_opening_show(session);
    observers_leg_ended(
        &session->proxy->observers, &session->connection, LEG_CLIENT, DIRECTION_REQUEST, false);
    if (session->state == SESSION_OPENING)
        session_opening_eof(session);
    session_settle(session);
}

/* The FIN is acted on once all that came before it has been looked at. */
void session_take_eof(struct session *session)
{
    if (!session->client_eof || session->held.len > 0 || session_must_hold(session))
        return;
    if (session->state == SESSION_OPEN && !session->request_end)
        client_ended(session);
    else if (!session->last || !session->last->refusal)
        session_end_upstream(session); /* of a tunnel, or behind bytes that were dropped */
}

static void on_client_error(struct stream *stream, int status)
{
    struct session *session = stream->data;
    session_opening_show(session);
    observers_leg_ended(&session->proxy->observers, &session->connection, LEG_CLIENT,
        DIRECTION_REQUEST, status == UV_ECONNRESET);
    if (session->state == SESSION_OPENING && session->accepting) {
        session_refuse_tls(session);
        session_settle(session);
        return;
    }
    if (session_outlives_client(session)) {
        session->client_eof = true;
        stream_close(&session->client);
        session_settle(session);
        return;
    }
    session_close(session, true, "client_gone");
}

static void on_client_drain(struct stream *stream)
{
    session_settle(stream->data);
}

static void on_client_lost(struct stream *stream, int status)
{
    (void)status;
    session_close(stream->data, true, "client_gone");
}

static void on_client_secured(struct stream *stream)
{
    session_client_secured(stream->data);
}

const struct stream_events session_client_events = {
    .on_data = on_client_data,
    .on_eof = on_client_eof,
    .on_error = on_client_error,
    .on_drain = on_client_drain,
    .on_closed = session_on_closed,
    .on_secured = on_client_secured,
    .on_lost = on_client_lost,
};
