/*
 * What passes unread in the place of HTTP: behind a 101 (RFC 9110 §7.8), or all of a connection. It
 * is counted, and of a WebSocket (RFC 6455) the frames are, too. No I/O.
 */
#ifndef MITM_PROXY_TUNNEL_H
#define MITM_PROXY_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/http_head.h"
#include "mitm_proxy/connection.h"
#include "mitm_proxy/websocket_frames.h"

#define TUNNEL_ACCEPT_SIZE 20 /* bytes of SHA-1 */

struct tunnel {
    bool begun;
    uint64_t bytes[2];                 /* by direction */
    char *protocol;                    /* the Upgrade of the 101; NULL: there was none, or no 101 */
    bool websocket;                    /* its frames are counted … */
    struct websocket_frames frames[2]; /* … by direction */
    /* The rest is the tunnel's own. */
    bool asks_websocket;
    unsigned char accept[TUNNEL_ACCEPT_SIZE]; /* what the server has to prove */
};

/* For a request that asks for another protocol, or NULL. NULL when there is no memory. */
struct tunnel *tunnel_new(const struct http_head *request);
void tunnel_free(struct tunnel *tunnel);

/* It begins: behind this 101, or NULL. */
void tunnel_begin(struct tunnel *tunnel, const struct http_head *switched);
void tunnel_take(struct tunnel *tunnel, enum direction direction, const char *data, size_t len);
void tunnel_end(struct tunnel *tunnel);

#endif
