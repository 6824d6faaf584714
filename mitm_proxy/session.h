/*
 * One client connection, its upstream connection and the exchanges between them.
 *
 * A session is the state machine over two streams: what the client sends is parsed and passed on
 * unchanged, what the upstream answers likewise. It frees itself when its last handle is closed.
 */
#ifndef MITM_PROXY_SESSION_H
#define MITM_PROXY_SESSION_H

#include "mitm_proxy/proxy.h"

/* Takes the pending connection of the proxy's listener. 0 or UV_E*. */
int session_accept(struct proxy *proxy);

/*
 * Ends with the exchanges in flight, or soon where there are none: a request may be on its way that
 * was sent before the client could know.
 */
void session_drain(struct session *session);

/* Ends now; exchanges in flight fail with the word "shutdown". */
void session_abort(struct session *session);

/* The next of the proxy's sessions, or NULL. */
struct session *session_next(const struct session *session);

#endif
