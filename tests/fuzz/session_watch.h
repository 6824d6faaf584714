/*
 * Watches a proxy between fake sockets as one of its observers, and holds what it is told against
 * what was on the wire, and both against what the proxy promises. A promise that is broken ends the
 * program.
 */
#ifndef TESTS_SESSION_WATCH_H
#define TESTS_SESSION_WATCH_H

#include "mitm_proxy/observer.h"
#include "mitm_proxy/proxy.h"

/* How much of the traffic can be foretold. */
struct watch_world {
    bool http;  /* all of a connection is HTTP, up to a 101 or a CONNECT's 200 */
    bool exact; /* what goes on is what came, both ways, but for the proxy's own answers */
};

/* Begins to watch; the observer belongs to PROXY's list. */
struct observer watch_begin(struct proxy *proxy, const struct watch_world *world);
/* All is over: everything that began has been told of, once. */
void watch_end(void);

#endif
