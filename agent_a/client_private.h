/*
 * What the files of the client share: its state, and what one of them asks of another.
 */
#ifndef AGENT_A_CLIENT_PRIVATE_H
#define AGENT_A_CLIENT_PRIVATE_H

#include "agent_a/client.h"
#include "lib/buf.h"
#include "lib/dial.h"
#include "lib/http_parser.h"
#include "lib/stream.h"

#define CLIENT_FAILURE_MAX 512

enum client_state {
    CLIENT_APART,   /* there is no connection */
    CLIENT_DIALING, /* one is being opened, with a proxy's tunnel and TLS's handshake, if any */
    CLIENT_READY,   /* connected, no request is under way */
    CLIENT_WAITING, /* the request is on its way, no byte of the answer has come */
    CLIENT_READING, /* the answer has begun */
    CLIENT_CLOSING, /* the old connection is closing; a new one is opened after it if needed */
};

struct client {
    uv_loop_t *loop;
    struct client_config config;
    enum client_state state;
    struct stream stream;
    struct dial *dial; /* while dialing */
    uv_timer_t timer;
    bool timer_live;
    bool leaving;           /* client_close was called */
    bool asking;            /* the proxy for a tunnel, while dialing */
    struct slice request;   /* absent: none is under way */
    uint64_t started;       /* ns */
    unsigned int exchanges; /* on this connection */
    struct http_parser *parser;
    struct buf body;
    int body_status;
    const char *word; /* of the failure */
    char failure[CLIENT_FAILURE_MAX];
};

/* client_connect.c: opens the connection, through the proxy's tunnel and TLS where they are asked
 * for; client_connected or client_fail follow. 0, or UV_E*: neither does. */
int client_connect(struct client *client, const struct stream_events *events);
/* The proxy's answer to the request for a tunnel. */
void client_take_tunnel(struct client *client, const char *data, size_t len);

/* client.c: the connection is ready for a request. */
void client_connected(struct client *client);
/* Ends the exchange with a sentence, and the connection. */
void client_fail(struct client *client, const char *word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* TLS, or what carries it, failed: UV_EPROTO or another UV_E*. */
void client_fail_tls(struct client *client, int status);
/* The bytes of an answer's body. */
void client_on_body(void *arg, const char *data, size_t len);

#endif
