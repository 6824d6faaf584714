#include "mitm_proxy/session_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "mitm_proxy/replay.h"

void session_set_state(struct session *session, enum session_state state)
{
    if (state > session->state) /* it only ever moves on: OPEN, TUNNEL, ENDING, CLOSED */
        session->state = state;
}

void session_free(struct session *session)
{
    struct proxy *proxy = session->proxy;
    if (session->link) {
        *session->link = session->next;
        if (session->next)
            session->next->link = session->link;
    }
    http_parser_free(session->requests);
    http_parser_free(session->responses);
    sha256_free(session->request_sha);
    sha256_free(session->response_sha);
    buf_deinit(&session->peek);
    buf_deinit(&session->pending);
    buf_deinit(&session->held);
    buf_deinit(&session->held_down);
    session_free_opening(session);
    free(session->own_to);
    free(session->up);
    free(session->down);
    free(session);
    atomic_fetch_sub_explicit(&proxy->shared->clients, 1, memory_order_relaxed);
    proxy_session_gone(proxy);
}

/* Memory goes when the last handle's close callback has run. */
static void session_free_if_closed(struct session *session)
{
    if (session->state != SESSION_CLOSED || session->client.live || session->upstream.live ||
        session->timer_live || session_hands_live(session))
        return;
    if (session->connection.id)
        observers_connection_closed(&session->proxy->observers, &session->connection);
    session_free(session);
}

/* Takes it out of the list. */
static void unlink_exchange(struct session *session, const struct exchange *exchange)
{
    struct exchange *before = NULL, **link = &session->first;
    while (*link != exchange) {
        before = *link;
        link = &before->next;
    }
    *link = exchange->next;
    if (session->last == exchange)
        session->last = before;
    if (session->receiving == exchange)
        session->receiving = NULL;
    session->in_flight--;
}

void session_finish(struct session *session, struct exchange *exchange)
{
    bool first = exchange == session->first;
    session_forget_hands(session, exchange);
    session_let_others_go(session, exchange);
    unlink_exchange(session, exchange);
    if (first) {
        session->response_started = false;
        session->waiting_since = uv_now(session->proxy->loop);
    }
    exchange->finished_ns = clock_monotonic_ns();
    if (exchange->tunnel)
        session_end_tunnel(session, exchange);
    observers_exchange(&session->proxy->observers, exchange);
    replay_start(&exchange->replays, exchange);
    exchange_free(exchange);
}

void session_finish_first(struct session *session)
{
    session_finish(session, session->first);
}

struct exchange *session_add_exchange(struct session *session)
{
    struct exchange *exchange = exchange_new(
        &session->proxy->exchanges, &session->connection, proxy_next_exchange(session->proxy));
    if (!exchange) {
        session_close(session, true, "no_memory");
        return NULL;
    }
    exchange->head_request = http_parser_is_to_head(session->requests);
    if (session->last)
        session->last->next = exchange;
    else
        session->first = exchange;
    if (session->in_flight++ == 0)
        session->waiting_since = uv_now(session->proxy->loop);
    session->last = exchange;
    return exchange;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct session *session = handle->data;
    session->timer_live = false;
    session_free_if_closed(session);
}

void session_on_closed(struct stream *stream)
{
    session_free_if_closed(stream->data);
}

void session_on_hand_closed(void *session)
{
    session_free_if_closed(session);
}

/* A tunnel ends as its peers like: only what is our doing fails it. */
static bool fails(const struct exchange *exchange, const char *word)
{
    return !exchange->tunnel || !exchange->tunnel->begun ||
           (strcmp(word, "client_gone") != 0 && strcmp(word, "upstream_reset") != 0);
}

void session_drop_exchanges(struct session *session, const char *word)
{
    while (session->first) {
        if (!session->first->error && fails(session->first, word))
            session->first->error = word;
        session_finish_first(session);
    }
}

void session_close_upstream(struct session *session, bool reset)
{
    struct observers *observers = &session->proxy->observers;
    if (session->dial)
        dial_cancel(session->dial);
    session->dial = NULL;
    if (session->connection.legs[LEG_UPSTREAM].open)
        observers_leg_ended(
            observers, &session->connection, LEG_UPSTREAM, DIRECTION_REQUEST, reset);
    session->upstream_state = UPSTREAM_GONE;
    if (reset)
        stream_reset(&session->upstream);
    else
        stream_close(&session->upstream);
}

void session_close(struct session *session, bool reset, const char *word)
{
    if (session->state == SESSION_CLOSED)
        return;
    session_set_state(session, SESSION_CLOSED);
    session_drop_exchanges(session, word);
    session_close_hands(session);
    session_close_upstream(session, reset);
    observers_leg_ended(
        &session->proxy->observers, &session->connection, LEG_CLIENT, DIRECTION_RESPONSE, reset);
    if (reset)
        stream_reset(&session->client);
    else
        stream_close(&session->client);
    if (session->timer_live && !uv_is_closing((uv_handle_t *)&session->timer))
        uv_close((uv_handle_t *)&session->timer, on_timer_closed);
}

bool session_send_client(struct session *session, const uv_buf_t *runs, unsigned int count)
{
    if (count == 0)
        return true;
    observers_bytes(&session->proxy->observers, &session->connection, LEG_CLIENT,
        DIRECTION_RESPONSE, runs, count);
    if (stream_write(&session->client, runs, count) == 0)
        return true;
    session_close(session, true, "client_gone");
    return false;
}

void session_end_client(struct session *session)
{
    if (session->client.shut || !session->client.open)
        return;
    observers_leg_ended(
        &session->proxy->observers, &session->connection, LEG_CLIENT, DIRECTION_RESPONSE, false);
    bool cut = session->state == SESSION_TUNNEL && session->upstream.cut;
    int err = cut ? stream_shutdown_cut(&session->client) : stream_shutdown(&session->client);
    if (err < 0)
        session_close(session, true, "client_gone");
}

void session_end(struct session *session, bool reset_upstream)
{
    session_end_client(session);
    session_set_state(session, SESSION_ENDING);
    session_close_upstream(session, reset_upstream);
}

/* Each side is read only while the other can take what comes. */
static void session_set_reading(struct session *session)
{
    bool tunnel = session->state == SESSION_TUNNEL;
    bool room_up = session->pending.len < STREAM_QUEUE_HIGH &&
                   (session->upstream_state != UPSTREAM_OPEN ||
                       stream_queued(&session->upstream) < STREAM_QUEUE_HIGH);
    bool hear_client =
        !session->client_eof && !session_rules_queue(session, DIRECTION_REQUEST) &&
        (session->state == SESSION_ENDING ||
            (room_up && (tunnel || (session->held.len == 0 && !session_must_hold(session)))));
    bool connected = session->upstream_state == UPSTREAM_OPEN ||
                     (session->upstream_state == UPSTREAM_DIALING && session->upstream.layer);
    /* What it says before TLS with the client is there would have nobody to go to. */
    bool secures = session->state == SESSION_OPENING && session->accepting;
    bool hear_upstream = connected && !session->upstream_eof && !secures &&
                         stream_queued(&session->client) < STREAM_QUEUE_HIGH &&
                         !session_response_leaves(session) &&
                         !session_rules_queue(session, DIRECTION_RESPONSE);
    if (hear_client && stream_read_start(&session->client) < 0)
        session_close(session, true, "client_gone");
    else if (!hear_client)
        stream_read_stop(&session->client);
    if (session->state == SESSION_CLOSED)
        return;
    if (hear_upstream)
        (void)stream_read_start(&session->upstream); /* its errors come back through on_error */
    else
        stream_read_stop(&session->upstream);
}

/* True when nothing can come any more in either direction. */
static bool session_is_over(struct session *session)
{
    bool up_over = session->upstream_state == UPSTREAM_GONE || session->upstream_eof;
    if (session->state == SESSION_ENDING)
        return session->client_eof && stream_drained(&session->client);
    if (session->state != SESSION_TUNNEL && (session->first || session->held.len > 0))
        return false;
    if (session->client_eof && session->upstream_state == UPSTREAM_NONE)
        return true;
    return session->client_eof && up_over && stream_drained(&session->client) &&
           (session->upstream_state == UPSTREAM_GONE || stream_drained(&session->upstream));
}

/* One that has had to wait keeps its timer, and stays with it. */
static struct hand *rest_hand(struct hand *hand)
{
    if (!hand || hand->state != HAND_EMPTY || hand_is_live(hand))
        return hand;
    free(hand);
    return NULL;
}

/* Nothing is under way: what the last exchange needed is not kept for the next one. */
static void session_rest(struct session *session)
{
    session->up = rest_hand(session->up);
    session->down = rest_hand(session->down);
    http_parser_forget_head(session->requests);
    http_parser_forget_head(session->responses);
}

void session_settle(struct session *session)
{
    if (session->state == SESSION_CLOSED)
        return;
    if (session->turn_due)
        session_take_turn(session);
    if (session->first && session->first->connects)
        session_connected(session);
    do {
        session_take_held_down(session);
        session_take_held(session);
    } while (session->first && session->first->answer.len > 0 && session_give_answer(session));
    session_end_persistence(session);
    session_encourage(session);
    session_take_eof(session);
    if (session->state == SESSION_OPEN && session->first && session->first->refusal)
        session_answer_first(session);
    if (session->state == SESSION_OPEN && session->draining_since && !session->first &&
        !session->head_since && session->waiting_since > session->draining_since)
        session_end(session, false); /* an exchange has ended since */
    if (session->state == SESSION_CLOSED)
        return;
    if (session_is_over(session)) {
        session_close(session, false, "client_gone");
        return;
    }
    bool closed = session->upstream_state == UPSTREAM_CLOSING && !session->upstream.live;
    if (closed && session->state == SESSION_OPEN) {
        session_upstream_closed(session); /* it was already; this settles again */
        return;
    }
    if (!session->first)
        session_rest(session);
    session_set_reading(session);
    if (session->state != SESSION_CLOSED)
        session_set_clock(session);
}

void session_drain(struct session *session)
{
    session->draining_since = uv_now(session->proxy->loop);
    session_settle(session);
}

void session_abort(struct session *session)
{
    session_close(session, true, "shutdown");
}

struct session *session_next(const struct session *session)
{
    return session->next;
}
