/*
 * A call and its answer under a defence: the request with its proof, the answer held to its own.
 */
#ifndef AGENT_A_PROOF_H
#define AGENT_A_PROOF_H

#include "agent_a/client.h"
#include "lib/buf.h"
#include "lib/defence.h"

/* As tool_call_request, with what DEFENCE adds. UV_EINVAL when the URL makes no good head. */
int proof_request(const struct defence *defence, const struct http_url *url, struct slice call,
    struct buf *out) __attribute__((warn_unused_result));

/*
 * True when the answer is proven to be the one to REQUEST, error or not. CONTENT is what it says:
 * its body, or the result among its events.
 */
bool proof_check(const struct defence *defence, struct slice request,
    const struct client_answer *answer, struct slice content, struct defence_refusal *refusal);

#endif
