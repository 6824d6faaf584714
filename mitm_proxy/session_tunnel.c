/* Bytes that pass unread: behind a 101, or what is no HTTP/1.1 to us. The record comes at the end.
 */
#include <stdlib.h>

#include "mitm_proxy/session_private.h"

void session_ask_tunnel(
    struct session *session, struct exchange *exchange, const struct http_head *head)
{
    if (!exchange->upgrade)
        return;
    exchange->tunnel = tunnel_new(head);
    if (!exchange->tunnel)
        session_close(session, true, "no_memory");
}

void session_tunnel_up(struct session *session, struct slice bytes)
{
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
    if (session->state != SESSION_TUNNEL || bytes.len == 0)
        return;
    tunnel_take(session->first->tunnel, DIRECTION_REQUEST, bytes.data, bytes.len);
    session_send_upstream(session, &run, 1);
}

void session_tunnel_down(struct session *session, struct slice bytes)
{
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
    if (session->state != SESSION_TUNNEL || bytes.len == 0)
        return;
    tunnel_take(session->first->tunnel, DIRECTION_RESPONSE, bytes.data, bytes.len);
    session_send_client(session, &run, 1);
}

void session_begin_tunnel(struct session *session, struct slice first)
{
    struct exchange *exchange = session_add_exchange(session);
    if (!exchange)
        return;
    exchange->tunnel = tunnel_new(NULL);
    if (!exchange->tunnel) {
        session_close(session, true, "no_memory");
        return;
    }
    tunnel_begin(exchange->tunnel, NULL);
    exchange_set_target(exchange, session->to->authority);
    session->head_since = 0;
    session_set_state(session, SESSION_TUNNEL);
    session_tunnel_up(session, first);
}

/* Why the client would read this head in another way than we do, or NULL. */
static const char *misread(const struct session *session)
{
    const struct http_head *head = http_parser_head(session->responses);
    const struct exchange *first = session->first;
    if (head->status == 101 &&
        !(first->upgrade && first->request_whole && !session_is_being_sent(session, first)))
        return "a 101 that the request did not ask for";
    if (first->http_1_0 && head->status < 200)
        return "an interim response to HTTP/1.0, which has none";
    if (first->http_1_0 && head->chunked)
        return "chunks in answer to HTTP/1.0, which has none";
    return NULL;
}

bool session_refuse_head(struct session *session, struct relay *relay)
{
    const char *reason = misread(session);
    uv_buf_t runs[2];
    if (!reason)
        return false;
    relay->good = relay->message ? relay->message : relay->from;
    relay->prefix = slice_of(NULL, 0);
    if (!session_send_client(session, runs, relay_runs(relay, runs)))
        return true;
    session_close_upstream(session, true);
    session_fail_first(session, 502, "bad_response", reason);
    return true;
}

void session_switch(struct session *session)
{
    struct exchange *exchange = session->first;
    struct buf up = session->held, down = session->held_down;
    buf_init(&session->held, SESSION_HELD_MAX);
    buf_init(&session->held_down, SESSION_HELD_MAX);
    exchange->response_sha256[0] = '\0'; /* it has no content */
    tunnel_begin(exchange->tunnel, http_parser_head(session->responses));
    session_set_state(session, SESSION_TUNNEL);
    session_tunnel_up(session, slice_of(up.data, up.len));
    session_tunnel_down(session, slice_of(down.data, down.len));
    buf_deinit(&up);
    buf_deinit(&down);
}

void session_switch_or_stay(struct session *session, struct slice bytes, bool passes)
{
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)bytes.data, (unsigned int)bytes.len);
    bool closes = session->first->answer_closes;
    bool switches = passes && session->first->status == 101;
    if (!switches) {
        buf_deinit(&session->held_down);
        (void)session_finish_response(session);
    }
    if (!session_send_client(session, &run, bytes.len > 0))
        return;
    if (switches)
        session_switch(session);
    else if (closes)
        session_end(session, true);
    else
        session_redial(session);
}

void session_end_tunnel(const struct session *session, struct exchange *exchange)
{
    struct tunnel *tunnel = exchange->tunnel;
    if (!tunnel->begun) { /* it stayed HTTP */
        tunnel_free(tunnel);
        exchange->tunnel = NULL;
        return;
    }
    tunnel_end(tunnel);
    tunnel->bytes[DIRECTION_REQUEST] -= session->pending.len; /* the upstream never was there */
    if (exchange->method.data)
        return;
    exchange->request_bytes = tunnel->bytes[DIRECTION_REQUEST];
    exchange->response_bytes = tunnel->bytes[DIRECTION_RESPONSE];
}
