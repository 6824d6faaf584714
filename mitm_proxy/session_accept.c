/* How a session begins: a client's connection is taken. */
#include "mitm_proxy/session_private.h"

#include <stdlib.h>
#include <string.h>

static void on_request_body(void *arg, const char *data, size_t len)
{
    struct session *session = arg;
    struct exchange *exchange = session->receiving;
    if (exchange)
        exchange->request_bytes += len;
    if (hand_gathers(session->up))
        return;
    sha256_update(session->request_sha, data, len);
    if (!exchange || !session->request_sha)
        return;
    /* Past its cap the copy is of no use: half a JSON text has no names. */
    if (exchange->request_bytes > EXCHANGE_PEEK_MAX || buf_append(&session->peek, data, len))
        buf_clear(&session->peek);
}

static void on_response_body(void *arg, const char *data, size_t len)
{
    struct session *session = arg;
    if (!hand_gathers(session->down))
        sha256_update(session->response_sha, data, len);
    if (session->first)
        session->first->response_bytes += len;
}

static int session_init(struct session *session, struct proxy *proxy)
{
    session->proxy = proxy;
    session->to = &proxy->upstream;
    buf_init(&session->peek, EXCHANGE_PEEK_MAX);
    /* Who reads stops in time; what rules have gathered comes at once, and has its own limit. */
    buf_init(&session->pending, SIZE_MAX);
    buf_init(&session->held, SESSION_HELD_MAX);
    buf_init(&session->held_down, SESSION_HELD_MAX);
    session->requests = http_parser_new(HTTP_KIND_REQUEST, on_request_body, session);
    session->responses = http_parser_new(HTTP_KIND_RESPONSE, on_response_body, session);
    if (!session->requests || !session->responses)
        return UV_ENOMEM;
    http_parser_use_heads(session->requests, &proxy->heads);
    http_parser_use_heads(session->responses, &proxy->heads);
    if (proxy->rules || observers_want_contents(&proxy->observers)) {
        session->request_sha = sha256_new();
        session->response_sha = sha256_new();
        if (!session->request_sha || !session->response_sha)
            return UV_ENOMEM;
    }
    int err = stream_init(&session->client, proxy->loop, &session_client_events, session);
    session->client.inbox = &proxy->inbox;
    session->client.outbox = &proxy->outbox;
    return err;
}

/* The listener's own, unless that is any, or others' as well. */
static void name_server(const struct session *session, struct sockaddr_storage *address)
{
    const struct proxy *proxy = session->proxy;
    if (proxy->config->mode == MODE_TRANSPARENT ||
        sockaddr_is_any((const struct sockaddr *)&proxy->listen_address))
        (void)stream_local_address(&session->client, address);
    else
        *address = proxy->listen_address;
}

static void session_name_client(struct session *session)
{
    struct connection *connection = &session->connection;
    struct connection_leg *leg = &connection->legs[LEG_CLIENT];
    connection->id = proxy_next_connection(session->proxy);
    leg->open = true;
    (void)stream_peer_address(&session->client, &leg->opener);
    name_server(session, &leg->server);
    sockaddr_text((struct sockaddr *)&leg->opener, connection->client, sizeof connection->client);
    const struct hostport *to = &session->to->origin;
    if (*to->host)
        snprintf(connection->upstream, sizeof connection->upstream,
            strchr(to->host, ':') ? "[%s]:%u" : "%s:%u", to->host, to->port);
    observers_leg_opened(&session->proxy->observers, connection, LEG_CLIENT);
}

static void session_join(struct session *session)
{
    struct proxy *proxy = session->proxy;
    session->next = proxy->sessions;
    session->link = &proxy->sessions;
    if (session->next)
        session->next->link = &session->next;
    proxy->sessions = session;
}

int session_accept(struct proxy *proxy)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return UV_ENOMEM;
    proxy->open_connections++;
    unsigned long long others =
        atomic_fetch_add_explicit(&proxy->shared->clients, 1, memory_order_relaxed);
    int err = session_init(session, proxy);
    if (err) {
        session_free(session);
        return err;
    }
    err = stream_accept(&session->client, (uv_stream_t *)&proxy->listener.tcp);
    if (err) {
        session_close(session, false, "accept");
        return err;
    }
    uv_timer_init(proxy->loop, &session->timer);
    session->timer.data = session;
    session->timer_live = true;
    session->client_active = uv_now(proxy->loop);
    session->overloaded = others >= proxy->config->connections_max;
    if (!proxy->config->peeks)
        session_set_state(session, SESSION_OPEN);
    session_join(session);
    session_name_client(session);
    if (proxy->config->mode == MODE_TRANSPARENT)
        session_divert(session);
    session_settle(session);
    return 0;
}
