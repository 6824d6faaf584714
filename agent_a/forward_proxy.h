/*
 * The forward proxy that calls go through, if there is one: whom to ask, and how. No sockets.
 *
 * A request to http:// goes to it in absolute-form (RFC 9112 §3.2.2). For https:// it is asked for
 * a tunnel to the server (CONNECT, RFC 9110 §9.3.6), and TLS is spoken through that.
 */
#ifndef AGENT_A_FORWARD_PROXY_H
#define AGENT_A_FORWARD_PROXY_H

#include <stdbool.h>

#include "lib/hostport.h"

#define FORWARD_PROXY_ASK_MAX (2 * HOSTPORT_TEXT_MAX + 128) /* bytes, with the terminator */

/*
 * The proxy for URL: GIVEN if it is not NULL, as http://HOST:PORT or HOST:PORT; else that of the
 * environment, http_proxy or HTTP_PROXY for http:// (curl reads the former only), https_proxy or
 * HTTPS_PROXY for https://, but none for the own machine and for hosts that no_proxy or NO_PROXY
 * has (names, also for what ends with them, by commas; * for all). 1: it is in *PROXY; 0: there is
 * none; -1: it cannot be used, which was logged.
 */
int forward_proxy_choose(struct hostport *proxy, const char *given, const struct http_url *url);

/* Makes the target absolute, as a proxy wants it. False: it is too long. */
bool forward_proxy_set_target(struct http_url *url);

/* The request for a tunnel to SERVER, into OUT. */
void forward_proxy_ask(const struct hostport *server, char out[FORWARD_PROXY_ASK_MAX]);

#endif
