#include "lib/http_server.h"

#include <stdlib.h>

#include "lib/http_connection.h"

static void free_when_done(struct http_server *server)
{
    if (!server->stopping || server->listening || server->connections != NULL)
        return;
    void (*on_stopped)(void *arg) = server->config.on_stopped;
    void *arg = server->config.arg;
    free(server);
    if (on_stopped != NULL)
        on_stopped(arg);
}

void http_server_connection_gone(struct http_server *server)
{
    free_when_done(server);
}

static void on_connection(struct listener *listener, int status)
{
    if (status == 0)
        http_connection_accept(listener->data);
}

static void on_listener_closed(struct listener *listener)
{
    struct http_server *server = listener->data;
    server->listening = false;
    free_when_done(server);
}

struct http_server *http_server_start(
    uv_loop_t *loop, const struct http_server_config *config, int *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    *err = UV_ENOMEM;
    if (server == NULL)
        return NULL;
    server->loop = loop;
    server->config = *config;
    *err = listener_open(&server->listener, loop, &config->listen, on_connection, server);
    if (*err != 0) {
        free(server);
        return NULL;
    }
    server->listener.on_closed = on_listener_closed;
    server->listening = true;
    return server;
}

int http_server_address(const struct http_server *server, struct sockaddr_storage *address)
{
    return listener_address(&server->listener, address);
}

void http_server_stop(struct http_server *server)
{
    bool at_once = server->stopping;
    server->stopping = true;
    for (struct http_connection *c = server->connections; c != NULL; c = http_connection_next(c)) {
        if (at_once)
            http_connection_close(c);
        else
            http_connection_drain(c);
    }
    listener_close(&server->listener);
}
