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

/*
 * Called once, unless cancelled. STATUS 0: the stream is connected, its events are the owner's
 * again. UV_EAI_*: the name did not resolve. Other UV_E*: the last address's error; the stream
 * has been closed (on_closed comes, or came where it was never opened: see stream->open).
 */
typedef void (*dial_cb)(void *arg, int status);

/* The stream must be zeroed or closed; it gets EVENTS and DATA. NULL with *ERR on failure. */
struct dial *dial_start(uv_loop_t *loop, const struct hostport *origin, struct stream *stream,
    const struct stream_events *events, void *data, dial_cb on_done, void *arg, int *err);

/* Stops; on_done is not called. The stream stays with its owner, who closes it if it is open. */
void dial_cancel(struct dial *dial);

#endif
