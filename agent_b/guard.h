/*
 * agent_b's defence: refuses calls before a tool runs, and proves the answers.
 */
#ifndef AGENT_B_GUARD_H
#define AGENT_B_GUARD_H

#include "lib/defence.h"
#include "lib/http_server.h"

struct guard;

/* NULL when a key cannot be used or there is no memory: an error was logged. */
struct guard *guard_new(const struct defence_options *options);
void guard_free(struct guard *guard);

/* True when the request is good, and was not seen before. With a GUARD of NULL everything is. */
bool guard_check(
    struct guard *guard, const struct http_request *request, struct defence_refusal *refusal);

/* As defence_check_json. */
bool guard_check_json(const struct guard *guard, const struct json_text *json, struct slice text,
    struct defence_refusal *refusal);

/*
 * Gives the finished RESPONSE the fields that prove it, which are good until the next call. False
 * when that failed: the response must not go out as it is.
 */
bool guard_prove(
    struct guard *guard, const struct http_request *request, struct http_response *response);

#endif
