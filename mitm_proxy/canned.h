/*
 * The response that respond makes up. No I/O.
 */
#ifndef MITM_PROXY_CANNED_H
#define MITM_PROXY_CANNED_H

#include <stdbool.h>

#include "mitm_proxy/message.h"
#include "mitm_proxy/rules.h"

/*
 * Fills an initialised message: the action's status, fields and body, a Content-Length where the
 * status has a body (RFC 9110 §8.6), "Connection: close" if CLOSES. JSON is called so where no
 * Content-Type is given. 0, UV_ENOBUFS or UV_ENOMEM.
 */
int canned_response(struct message *message, const struct rule_action *respond, bool closes)
    __attribute__((warn_unused_result));

#endif
