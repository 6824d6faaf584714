/* Requests to a forward proxy: each says where it goes; CONNECT asks for the connection itself. */
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "mitm_proxy/changes.h"
#include "mitm_proxy/route.h"
#include "mitm_proxy/session_private.h"

static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";

static bool is_same(const struct destination *a, const struct destination *b)
{
    return a->tls == b->tls && a->origin.port == b->origin.port &&
           strcasecmp(a->origin.host, b->origin.host) == 0;
}

bool session_go_to(struct session *session, const struct destination *to)
{
    struct connection *connection = &session->connection;
    bool v6 = strchr(to->origin.host, ':');
    if (!session->own_to)
        session->own_to = malloc(sizeof *session->own_to);
    if (!session->own_to)
        return false;
    *session->own_to = *to;
    session->to = session->own_to;
    snprintf(connection->upstream, sizeof connection->upstream, v6 ? "[%s]:%u" : "%s:%u",
        to->origin.host, to->origin.port);
    return true;
}

/* The destination of this request, which may be another one than that of the last. */
static void head_for(
    struct session *session, struct exchange *exchange, const struct destination *to)
{
    const struct proxy_config *config = session->proxy->config;
    bool connects = slice_is(exchange->method, "CONNECT"); /* to which it is the first there */
    bool there = session->upstream_state != UPSTREAM_NONE;
    bool same = there && !connects && session->own_to && is_same(session->own_to, to);
    if (!route_is_allowed(&config->allow, to))
        session_refuse_request(
            session, exchange, 403, "not_allowed", "no --allow says that calls may go there");
    else if (same)
        return;
    else if (there && session->in_flight > 1)
        session->turn_due = true;
    else if (!session_go_to(session, to))
        session_close(session, true, "no_memory");
    else if (there)
        session_redial(session);
}

void session_route(struct session *session, struct exchange *exchange, const struct http_head *head)
{
    struct destination to;
    struct slice path;
    if (slice_is(head->method, "CONNECT")) {
        if (route_connect(head->target, &to))
            head_for(session, exchange, &to);
        else
            session_refuse_request(
                session, exchange, 400, "bad_request", "CONNECT wants HOST:PORT");
        exchange->connects = exchange->refusal == 0 && !session->turn_due;
    } else if (route_absolute(head->target, &to, &path)) {
        head_for(session, exchange, &to);
    } else {
        session_refuse_request(session, exchange, 400, "bad_request",
            "a forward proxy wants the whole URL, as in GET http://HOST/PATH");
    }
}

static void on_field(void *arg, struct slice name, struct slice old, struct slice new_value)
{
    struct exchange *exchange = arg;
    struct change change = {.out = &exchange->changes};
    change_note_field(&change, name, old, new_value);
}

static void on_target(void *arg, struct slice old, struct slice new_value)
{
    struct exchange *exchange = arg;
    struct change change = {.out = &exchange->changes};
    change_note_target(&change, old, new_value);
}

int session_routed_head(struct session *session, const struct http_head *head, struct buf *out)
{
    struct destination to;
    struct slice path;
    struct route_watch watch = {.on_field = on_field, .on_target = on_target, .arg = session->last};
    (void)route_absolute(head->target, &to, &path);
    return route_head(head, path, slice_str(session->to->authority), out, &watch);
}

/* From now on the client speaks with the destination: what, its next bytes tell. */
static void begin_connection(struct session *session)
{
    struct http_parser *requests = http_parser_renew(session->requests);
    if (!requests) {
        session_close(session, true, "no_memory");
        return;
    }
    session->requests = requests;
    session->state = SESSION_OPENING;
    session->bound = true;
    session->request_end = session->response_last = false;
    session->client_active = session->waiting_since = uv_now(session->proxy->loop);
}

void session_connected(struct session *session)
{
    struct exchange *exchange = session->first;
    struct buf held;
    if (session->state != SESSION_OPEN || session->upstream_state != UPSTREAM_OPEN ||
        !exchange->request_whole)
        return;
    exchange->status = 200;
    exchange->sent_ns = clock_monotonic_ns();
    held = session->held;
    buf_init(&session->held, SESSION_HELD_MAX);
    session_finish(session, exchange);
    begin_connection(session);
    uv_buf_t run = uv_buf_init((char *)(uintptr_t)established, sizeof established - 1);
    if (session->state == SESSION_OPENING && session_send_client(session, &run, 1) && held.len > 0)
        session_opening_data(session, held.data, held.len, true);
    buf_deinit(&held);
}
