/*
 * One client of a http_server, and what it knows of its server. Part of http_server.
 */
#ifndef LIB_HTTP_CONNECTION_H
#define LIB_HTTP_CONNECTION_H

#include <stdbool.h>

#include "lib/http_server.h"
#include "lib/listener.h"

struct http_connection;

struct http_server {
    uv_loop_t *loop;
    struct http_server_config config;
    struct listener listener;
    bool listening;
    bool stopping;
    struct http_connection *connections;
    size_t n_connections;
};

/* Takes the connection that the listener offers. It lives in the server's list until it closes. */
void http_connection_accept(struct http_server *server);

/* Lets the answer that is being written or the request that has begun come to its end. */
void http_connection_drain(struct http_connection *connection);

/* Closes now. Idempotent. */
void http_connection_close(struct http_connection *connection);

/* The next in the server's list. */
struct http_connection *http_connection_next(const struct http_connection *connection);

/* A connection has left the list: the server may be done. */
void http_server_connection_gone(struct http_server *server);

#endif
