/* Messages in the hands of rules: how they come there, and what becomes of them. */
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/http_response.h"
#include "mitm_proxy/hand.h"
#include "mitm_proxy/session_private.h"

static const char encouragement[] = "HTTP/1.1 100 Continue\r\n\r\n";
static const char gathered_max[] = "rules gather as much as they may at once already";

static uv_buf_t run_of(struct slice bytes)
{
    return uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
}

/* The last bytes go in with the news that they are: what is on record then comes before them. */
static int take(struct hand *hand, const uv_buf_t *runs, unsigned int count, bool last)
{
    int err = 0;
    for (unsigned int i = 0; !err && i < count && hand_is_busy(hand); i++)
        err = hand_take(hand, slice_of(runs[i].base, runs[i].len), last && i + 1 == count);
    return !err && last && count == 0 ? hand_take(hand, slice_of("", 0), true) : err;
}

/* --- requests --- */

static void send_up(struct session *session, struct slice bytes)
{
    uv_buf_t run = run_of(bytes);
    if (session->last->sent_ns == 0)
        session->last->sent_ns = clock_monotonic_ns();
    if (bytes.len > 0)
        session_send_upstream(session, &run, 1);
}

static void on_request_out(void *arg, struct slice bytes)
{
    struct session *session = arg;
    send_up(session, bytes);
    session->client_active = uv_now(session->proxy->loop); /* what it waited for was a rule */
}

void session_let_others_go(struct session *session, struct exchange *exchange)
{
    struct buf *ids = &exchange->lets_go;
    for (size_t at = 0; at < ids->len; at += sizeof(uint64_t)) {
        uint64_t id;
        memcpy(&id, ids->data + at, sizeof id);
        waiting_let_go(&session->proxy->waiting, id);
    }
    buf_deinit(ids);
}

/* A rule resets: the exchange is over, and so are those behind it. */
static void reset(struct session *session, struct exchange *exchange)
{
    int side = exchange->reset_side;
    if (side == RULE_RESET_UPSTREAM) {
        static const char reason[] = "a rule reset the upstream connection";
        session_close_upstream(session, true);
        session_refuse(exchange, 502, "upstream_reset", reason);
        session_fail_first(session, 502, "upstream_reset", reason); /* no answer comes any more */
        return;
    }
    session_finish(session, exchange);
    if (side == RULE_RESET_CLIENT)
        session_close_upstream(session, false);
    session_close(session, true, "dropped");
}

static void on_request_left(void *arg, struct slice bytes, enum hand_end end)
{
    struct session *session = arg;
    struct exchange *exchange = session->last;
    switch (end) {
    case HAND_PASSES:
        send_up(session, bytes);
        if (session->upstream_state == UPSTREAM_OPEN)
            session_let_others_go(session, exchange);
        if (exchange == session->first && session->upstream_state == UPSTREAM_OPEN)
            session->waiting_since = uv_now(session->proxy->loop);
        break;
    case HAND_CUT:
        session->receiving = NULL;
        exchange->request_whole = true; /* as far as it is to be */
        session->request_end = true;
        session->waiting_since = uv_now(session->proxy->loop);
        send_up(session, bytes); /* which may close the session */
        session_end_upstream(session);
        if (session->upstream_state == UPSTREAM_OPEN)
            session_let_others_go(session, exchange);
        break;
    case HAND_DROPS:
        session_finish(session, exchange);
        break;
    case HAND_ANSWERS:
        break; /* when its turn comes */
    case HAND_RESETS:
        reset(session, exchange);
        break;
    }
}

static void on_moved(void *arg)
{
    session_settle(arg);
}

/* What came so far, from a digest that is asked for once. */
static void received(
    struct change_body *body, struct sha256 *sha, const char *known, uint64_t bytes)
{
    body->bytes = bytes;
    if (*known)
        memcpy(body->sha256, known, sizeof body->sha256);
    else
        sha256_hex(sha, body->sha256);
}

static void request_received(void *arg, struct change_body *body)
{
    struct session *session = arg;
    received(
        body, session->request_sha, session->last->request_sha256, session->last->request_bytes);
}

static const struct hand_owner request_owner = {
    .on_out = on_request_out,
    .on_left = on_request_left,
    .on_moved = on_moved,
    .received = request_received,
    .on_closed = session_on_hand_closed,
};

static struct hand *new_hand(
    struct session *session, struct sha256 *sha, const struct hand_owner *owner)
{
    struct hand *hand = calloc(1, sizeof *hand);
    if (hand)
        hand_init(hand, session->proxy, sha, owner, session);
    return hand;
}

static void fail_request(struct session *session, int err)
{
    if (err == UV_ENOBUFS)
        session_refuse_request(session, session->last, 413, "body_too_large_for_rule",
            "the body is longer than rules may gather");
    else if (err == UV_EBUSY)
        session_refuse_request(session, session->last, 503, "overloaded", gathered_max);
    else
        session_close(session, true, "no_memory");
}

bool session_hand_request(struct session *session, const struct hand_head *head)
{
    struct exchange *exchange = session->last;
    enum rules_need need = hand_need(session->proxy, exchange, head);
    if (need == RULES_NEED_NOTHING)
        return false;
    if (!session->up)
        session->up = new_hand(session, session->request_sha, &request_owner);
    int err = session->up ? hand_begin(session->up, exchange, head, need) : UV_ENOMEM;
    if (err)
        fail_request(session, err);
    return true;
}

void session_hand_request_body(
    struct session *session, const uv_buf_t *runs, unsigned int count, bool last)
{
    int err = take(session->up, runs, count, last);
    if (err)
        fail_request(session, err);
}

/* --- responses --- */

static bool send_down(struct session *session, struct slice bytes)
{
    uv_buf_t run = run_of(bytes);
    return session_send_client(session, &run, bytes.len > 0);
}

static void on_response_out(void *arg, struct slice bytes)
{
    struct session *session = arg;
    session->response_started = true;
    send_down(session, bytes);
}

static void on_response_left(void *arg, struct slice bytes, enum hand_end end)
{
    struct session *session = arg;
    bool early = false, closes = session->response_closes || session->first->answer_closes;
    if (http_parser_head(session->responses)->status == 101 && end != HAND_RESETS) {
        session_switch_or_stay(session, bytes, end == HAND_PASSES);
        return;
    }
    switch (end) {
    case HAND_RESETS:
        session->request_end = true;
        reset(session, session->first);
        return;
    case HAND_DROPS:
        early = session_finish_response(session);
        break;
    default:
        early = session_finish_response(session);
        if (!send_down(session, bytes))
            return;
    }
    if (end == HAND_CUT || early || closes) {
        session_drop_exchanges(session, "dropped");
        session_end(session, early || end == HAND_CUT);
    }
}

static void response_received(void *arg, struct change_body *body)
{
    struct session *session = arg;
    received(body, session->response_sha, session->first->response_sha256,
        session->first->response_bytes);
}

static const struct hand_owner response_owner = {
    .on_out = on_response_out,
    .on_left = on_response_left,
    .on_moved = on_moved,
    .received = response_received,
    .on_closed = session_on_hand_closed,
};

static void fail_response(struct session *session, int err)
{
    if (err != UV_ENOBUFS && err != UV_EBUSY) {
        session_close(session, true, "no_memory");
        return;
    }
    session_close_upstream(session, true);
    if (err == UV_EBUSY)
        session_fail_first(session, 503, "overloaded", gathered_max);
    else
        session_fail_first(session, 502, "body_too_large_for_rule",
            "the response is longer than rules may gather");
}

bool session_hand_response(struct session *session)
{
    struct exchange *exchange = session->first;
    struct http_parser *parser = session->responses;
    const struct http_head *message = http_parser_head(parser);
    bool bodiless = exchange->head_request || !http_status_has_body(message->status);
    struct hand_head head = {
        .head = message,
        .bytes = message->bytes,
        .response = true,
        .bodiless = bodiless,
        .framing = bodiless                          ? MESSAGE_LENGTH
                   : http_parser_until_close(parser) ? MESSAGE_CLOSE
                   : message->chunked                ? MESSAGE_CHUNKED
                                                     : MESSAGE_LENGTH,
    };
    enum rules_need need = hand_need(session->proxy, exchange, &head);
    if (need == RULES_NEED_NOTHING)
        return false;
    if (!session->down)
        session->down = new_hand(session, session->response_sha, &response_owner);
    int err = session->down ? hand_begin(session->down, exchange, &head, need) : UV_ENOMEM;
    if (err)
        fail_response(session, err);
    return true;
}

void session_hand_response_body(
    struct session *session, const uv_buf_t *runs, unsigned int count, bool last)
{
    int err = take(session->down, runs, count, last);
    if (err)
        fail_response(session, err);
}

/* --- both --- */

bool session_rules_wait(const struct session *session)
{
    return hand_leaves(session->up) || hand_is_busy(session->down) ||
           (hand_is_busy(session->up) && hand_queued(session->up) > 0) ||
           (session->first && session->first->answer.len > 0);
}

bool session_is_being_sent(const struct session *session, const struct exchange *exchange)
{
    return hand_is_busy(session->up) && session->up->exchange == exchange;
}

bool session_rules_queue(const struct session *session, enum direction direction)
{
    const struct hand *hand = direction == DIRECTION_REQUEST ? session->up : session->down;
    return hand_is_busy(hand) && hand_queued(hand) >= STREAM_QUEUE_HIGH;
}

void session_encourage(struct session *session)
{
    const struct exchange *first = session->first;
    const struct hand *up = session->up;
    if (!first || first != session->receiving || !up || up->state != HAND_GATHERING ||
        session->encouraged == first->id || session->response_last)
        return;
    const struct http_head *head = up->head.head;
    if (!head->expect_continue || head->version_minor == 0 || first->request_bytes > 0)
        return;
    session->encouraged = first->id;
    uv_buf_t run = run_of(slice_str(encouragement));
    session_send_client(session, &run, 1);
}

bool session_give_answer(struct session *session)
{
    struct exchange *exchange = session->first;
    if (session->state != SESSION_OPEN || hand_is_busy(session->up))
        return false;
    if (session->response_last) {
        session_drop_exchanges(session, "dropped");
        session_end(session, true);
        return true;
    }
    struct buf answer = exchange->answer;
    bool closes = exchange->answer_closes;
    buf_init(&exchange->answer, 0);
    session_finish(session, exchange);
    if (send_down(session, slice_of(answer.data, answer.len)) && closes) {
        session_drop_exchanges(session, "dropped");
        session_end(session, false);
    }
    buf_deinit(&answer);
    return true;
}

bool session_outlives_client(struct session *session)
{
    return session->state == SESSION_OPEN && hand_leaves(session->up) &&
           session->up->end == HAND_PASSES;
}

void session_forget_hands(struct session *session, const struct exchange *exchange)
{
    if (hand_is_busy(session->up) && session->up->exchange == exchange)
        hand_forget(session->up);
    if (hand_is_busy(session->down) && session->down->exchange == exchange)
        hand_forget(session->down);
}

void session_close_hands(struct session *session)
{
    if (session->up)
        hand_close(session->up);
    if (session->down)
        hand_close(session->down);
}

bool session_hands_live(const struct session *session)
{
    return (session->up && hand_is_live(session->up)) ||
           (session->down && hand_is_live(session->down));
}
