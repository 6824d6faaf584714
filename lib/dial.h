/*
 * Connects a stream to a HOST:PORT: resolves the name, then tries each address in turn.
 *
 * Literal addresses skip the resolver. There is no timeout in here: the owner has one and calls
 * dial_cancel.
 */
#ifndef LIB_DIAL_H
#define LIB_DIAL_H

#include "lib/hostport.h"
#include "lib/stream.h"

struct dial; /* frees itself after on_done or dial_cancel */

/* Another's address to connect from: a socket for it comes from SOCKET, a descriptor or UV_E*. */
struct dial_from {
    int (*socket)(void *arg, int family);
    void *arg;
    struct sockaddr_storage address;
};

/*
 * Called once, unless cancelled. STATUS 0: the stream is connected and its events are the owner's
 * again. UV_EAI_*: the name did not resolve. Other UV_E*: the last address's error. After an error
 * the stream is not live.
 */
typedef void (*dial_cb)(void *arg, int status);

/* STREAM must not be live; it gets EVENTS and DATA. NULL with *ERR on failure. */
struct dial *dial_start(uv_loop_t *loop, const struct hostport *origin, struct stream *stream,
    const struct stream_events *events, void *data, dial_cb on_done, void *arg, int *err);

/* The same from another's address, where FROM is not NULL: only to addresses of its family. */
struct dial *dial_start_from(uv_loop_t *loop, const struct hostport *origin, struct stream *stream,
    const struct stream_events *events, void *data, dial_cb on_done, void *arg,
    const struct dial_from *from, int *err);

/*
 * Stops; on_done is not called. A stream that is live is its owner's again, who closes it and gets
 * its on_closed.
 */
void dial_cancel(struct dial *dial);

/* Whom the stream is connected to, for on_done: no system call, where the address says all. 0 or
 * UV_E*. */
int dial_peer(const struct dial *dial, struct sockaddr_storage *address);

#endif
