/*
 * agent_b over HTTP or HTTPS: POST /tool, GET /ledger, GET /calls, GET /healthz.
 *
 * /ledger has the balances and the number of deposits. /calls has how often each tool was carried
 * out, and how often a call was not, by the word of the refusal; what the server refuses before it
 * is known to be a call (bad framing, 413, another method) is not counted. Only /tool is guarded.
 *
 * Lines for people: "[Agent B] Caller: ADDRESS" before the first call, and before each that comes
 * from another address than the one before it; "Received JSON", "Received bad JSON" or "Refused"
 * for each call.
 */
#ifndef AGENT_B_SERVER_H
#define AGENT_B_SERVER_H

#include <uv.h>

#include "agent_b/guard.h"
#include "agent_b/tools.h"
#include "lib/hostport.h"
#include "lib/line_out.h"
#include "lib/tls.h"

struct agent_server;

struct agent_server_config {
    struct hostport listen;
    size_t body_max;
    struct tools *tools;           /* the caller's, who frees them after on_stopped */
    struct guard *guard;           /* the same; NULL: every call is taken as it comes */
    struct tls_context *tls;       /* the same; NULL: HTTP without TLS */
    struct line_out *out;          /* the caller's: the lines for people */
    void (*on_stopped)(void *arg); /* everything is closed and freed */
    void *arg;
};

/* Listens. NULL with *ERR (UV_E* or UV_EAI_*) on failure. */
struct agent_server *agent_server_start(
    uv_loop_t *loop, const struct agent_server_config *config, int *err);

/* Where it listens, for port 0. */
int agent_server_address(const struct agent_server *server, struct sockaddr_storage *address);

/* Finishes what has begun; a second call closes at once. Not to be called after on_stopped. */
void agent_server_stop(struct agent_server *server);

#endif
