/*
 * The admin port: GET /healthz for orchestrators, GET /metrics for Prometheus (text format 0.0.4);
 * GET /log for the last hash of the log's chain; GET /held for what rules hold, POST
 * /held/ID/release and POST /held/release to let it go. Whom it answers is for admin_gate to say.
 */
#ifndef MITM_PROXY_ADMIN_H
#define MITM_PROXY_ADMIN_H

#include "lib/http_server.h"
#include "mitm_proxy/admin_gate.h"
#include "mitm_proxy/confinement.h"
#include "mitm_proxy/counters.h"
#include "mitm_proxy/hash_chain.h"
#include "mitm_proxy/rules.h"
#include "mitm_proxy/sink_file.h"
#include "mitm_proxy/tls_mint.h"
#include "mitm_proxy/waiting.h"

/* What has become of the capture, whichever it is. */
struct admin_recording {
    uint64_t packets;           /* written */
    uint64_t lost;              /* not written: the file failed */
    uint64_t dropped;           /* by the kernel, as its buffer was full */
    uint64_t dropped_interface; /* by the interface or its driver */
    bool ended;                 /* it should be running and is not */
};

struct admin {
    const struct admin_gate *gate;
    void (*count)(void *arg, struct counters *sum); /* adds all there is */
    const struct sink_file *exchange_log;           /* NULL: none */
    const struct hash_chain *chain;                 /* NULL: none */
    struct tls_mint *mint;                          /* NULL: none */
    const struct confinement *confinement;
    struct admin_recording (*recording)(void *arg);
    void *arg;
    const bool *draining;
    struct waiting *waiting;
    struct rules *const *rules; /* in force; they may be none, and are not always the same */
    struct http_server *server;
};

/* Listens where the gate says. The struct is the caller's and outlives the server. 0 or UV_E*. */
int admin_start(struct admin *admin, uv_loop_t *loop);

void admin_stop(struct admin *admin);

#endif
