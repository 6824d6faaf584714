/*
 * TLS for a proxy that is tested: an authority of its own, made once, and trust in any upstream;
 * and peers that speak it.
 */
#ifndef TESTS_SESSION_TLS_H
#define TESTS_SESSION_TLS_H

#include "mitm_proxy/proxy.h"
#include "tests/fuzz/fake_net.h"

/* Upstreams may speak TLS; if MINT, that of clients is taken apart. */
void session_tls_begin(struct proxy *proxy, bool mint);

/* The peer of SOCKET speaks TLS from now on: a caller as a client, who is called as a server. */
void session_tls_peer(struct fake_socket *socket);
/* It sends BYTES, or says that it ends. False: it speaks no TLS, or not yet. */
bool session_tls_send(const struct fake_socket *socket, struct slice bytes);
bool session_tls_say_end(const struct fake_socket *socket);
/* Peers take what came and answer. True: something was done. */
bool session_tls_turn(void);
/* No peer speaks TLS any more. */
void session_tls_end(void);

#endif
