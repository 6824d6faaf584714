/*
 * The admin port: GET /healthz for orchestrators, GET /metrics for Prometheus (text format 0.0.4).
 */
#ifndef MITM_PROXY_ADMIN_H
#define MITM_PROXY_ADMIN_H

#include "lib/http_server.h"
#include "mitm_proxy/counters.h"
#include "mitm_proxy/observe_pcap.h"
#include "mitm_proxy/sink_file.h"
#include "mitm_proxy/wire_capture.h"

struct admin {
    const struct counters *counters;
    const struct sink_file *exchange_log; /* NULL: none */
    const struct wire_capture *wire;      /* NULL: none */
    struct observe_pcap *payload;         /* NULL: none */
    const bool *draining;
    struct http_server *server;
};

/* Listens on WHERE. The struct is the caller's and outlives the server. 0 or UV_E*. */
int admin_start(struct admin *admin, uv_loop_t *loop, const struct hostport *where);

void admin_stop(struct admin *admin);

#endif
