/*
 * TLS for a proxy that is tested: an authority of its own, made once, and trust in any upstream.
 */
#ifndef TESTS_SESSION_TLS_H
#define TESTS_SESSION_TLS_H

#include "mitm_proxy/proxy.h"

/* Upstreams may speak TLS; if MINT, that of clients is taken apart. */
void session_tls_begin(struct proxy *proxy, bool mint);

#endif
