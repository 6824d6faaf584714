/*
 * Sends the calls of a run over some connections and reports how each ended.
 */
#ifndef AGENT_A_RUN_H
#define AGENT_A_RUN_H

#include <uv.h>

#include "agent_a/report.h"
#include "agent_a/results.h"
#include "lib/buf.h"
#include "lib/defence.h"
#include "lib/hostport.h"
#include "lib/tls.h"

struct run_config {
    const struct http_url *url;
    const struct hostport *proxy; /* whom the calls go through; NULL: straight to the origin */
    const struct buf *calls;      /* the texts, sent in turn; none: the built-in call, counted up */
    size_t n_calls;
    uint64_t total; /* calls to make */
    uint64_t concurrency;
    uint64_t interval;             /* ms */
    uint64_t timeout;              /* ms, of each attempt */
    uint64_t retries;              /* of a call that got no answer */
    const struct defence *defence; /* NULL: none */
    struct tls_context *tls;       /* a client's; NULL: HTTP without TLS */
    struct results *results;       /* NULL: none are written */
};

/*
 * Runs LOOP until all calls are made, or SIGINT or SIGTERM came. 0 when all calls were made (the
 * report counts how they ended), UV_ECANCELED after a signal, UV_ENOMEM.
 */
int run_calls(uv_loop_t *loop, const struct run_config *config, struct report *report);

#endif
