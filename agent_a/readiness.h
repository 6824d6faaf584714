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

/*
 * Runs LOOP until the answer came, SECONDS have passed, or SIGINT or SIGTERM came. False, and
 * logged, when there was no such answer.
 */
bool readiness_wait(
    uv_loop_t *loop, const struct http_url *url, struct tls_context *tls, uint64_t seconds);

#endif
