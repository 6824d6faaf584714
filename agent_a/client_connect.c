/* How the client comes to a connection: dialing, the tunnel of a proxy, TLS. */
#include "agent_a/client_private.h"
#include "agent_a/forward_proxy.h"
#include "lib/tls_stream.h"

/* Whom it connects to. */
static const struct hostport *client_peer(const struct client *client)
{
    return client->config.proxy != NULL ? client->config.proxy : client->config.origin;
}

/* Behind a tunnel, the answers come from somebody else than what the parser has read. */
static void client_secure(struct client *client)
{
    struct http_parser *parser = http_parser_renew(client->parser);
    if (parser == NULL) {
        client_fail(client, "no_memory", "there is not enough memory");
        return;
    }
    client->parser = parser;
    int err = tls_stream_start(
        &client->stream, client->config.tls, client->config.origin->host, slice_of(NULL, 0));
    if (err == UV_ENOMEM)
        client_fail(client, "no_memory", "there is not enough memory");
    else if (err)
        client_fail_tls(client, err);
}

/* What the proxy answers to the request for a tunnel: 2xx, and not a byte more. */
void client_take_tunnel(struct client *client, const char *data, size_t len)
{
    size_t used;
    enum http_event event = http_parser_feed(client->parser, data, len, &used);
    const struct http_head *head = http_parser_head(client->parser);
    if (event == HTTP_EVENT_MORE)
        return;
    client->asking = false;
    if (event == HTTP_EVENT_HEAD && head->status / 100 == 2 && used == len)
        client_secure(client);
    else if (event == HTTP_EVENT_HEAD && head->status / 100 != 2)
        client_fail(client, "connect_failed", "the proxy %s port %u answered CONNECT with %d",
            client->config.proxy->host, client->config.proxy->port, head->status);
    else
        client_fail(client, "connect_failed", "the proxy %s port %u did not open a tunnel",
            client->config.proxy->host, client->config.proxy->port);
}

/* Where nothing can be written, reading will tell. */
static void client_ask_tunnel(struct client *client)
{
    char ask[FORWARD_PROXY_ASK_MAX];
    forward_proxy_ask(client->config.origin, ask);
    const uv_buf_t run = {.base = ask, .len = strlen(ask)};
    client->asking = true;
    (void)!stream_write(&client->stream, &run, 1);
}

static void on_dialed(void *arg, int status)
{
    struct client *client = arg;
    client->dial = NULL;
    if (status != 0) {
        client_fail(client, "connect_failed", "cannot connect to %s%s port %u: %s",
            client->config.proxy != NULL ? "the proxy " : "", client_peer(client)->host,
            client_peer(client)->port, uv_strerror(status));
        return;
    }
    http_parser_free(client->parser);
    client->parser = http_parser_new(HTTP_KIND_RESPONSE, client_on_body, client);
    client->exchanges = 0;
    if (client->parser == NULL || stream_read_start(&client->stream) != 0) {
        client_fail(client, "no_memory", "there is not enough memory");
        return;
    }
    if (client->config.tls != NULL && client->config.proxy != NULL)
        client_ask_tunnel(client);
    else if (client->config.tls != NULL)
        client_secure(client);
    else
        client_connected(client);
}

int client_connect(struct client *client, const struct stream_events *events)
{
    int err = 0;
    client->state = CLIENT_DIALING;
    client->asking = false;
    client->dial = dial_start(client->loop, client_peer(client), &client->stream, events, client,
        on_dialed, client, &err);
    return client->dial != NULL ? 0 : err;
}
