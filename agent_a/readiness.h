/*
 * Asks an origin's /healthz until it answers 2xx.
 *
 * Each question is an exchange of its own on a connection of its own, four a second at most, since
 * a proxy in between forwards and records them.
 */
#ifndef AGENT_A_READINESS_H
#define AGENT_A_READINESS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "lib/hostport.h"
#include "lib/tls.h"

struct readiness_config {
    const struct http_url *url;
    const struct hostport *proxy; /* whom to ask through; NULL: nobody */
    struct tls_context *tls;      /* a client's; NULL: HTTP without TLS */
    uint64_t seconds;
};

/*
 * Runs LOOP until the answer came, so many seconds have passed, or SIGINT or SIGTERM came. False,
 * and logged, when there was no such answer.
 */
bool readiness_wait(uv_loop_t *loop, const struct readiness_config *config);

#endif
