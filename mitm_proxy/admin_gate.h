/*
 * Who may ask the admin port: no page of a browser that was led there (DNS rebinding, forms of
 * other sites), and, where there is a token, only who has it (RFC 6750 §2.1). No I/O.
 */
#ifndef MITM_PROXY_ADMIN_GATE_H
#define MITM_PROXY_ADMIN_GATE_H

#include <stdbool.h>

#include "lib/hostport.h"
#include "lib/http_head.h"
#include "lib/options.h"

#define ADMIN_TOKEN_MIN 16 /* characters: 96 bits of base64 */
#define ADMIN_TOKEN_MAX 512

struct admin_gate {
    struct hostport listen;   /* where the port is; its host may be named in Host */
    struct option_list hosts; /* further names that Host may have */
    const char *token;        /* NULL: none is asked for */
};

/* True when only this machine reaches HOST: "localhost" or a loopback address. */
bool admin_gate_is_local(const struct hostport *where);

/* NULL, or what is wrong with TOKEN, for people: its length or a character. */
const char *admin_gate_token_fault(const char *token);

/*
 * True when the request may be answered; else *PROBLEM says why not: 403 host_not_allowed or
 * origin_not_allowed, 401 token_required, and of what changes anything 415 not_json, when it says
 * what a form of another site could say.
 */
bool admin_gate_admits(const struct admin_gate *gate, const struct http_head *head, bool changes,
    struct http_problem *problem);

#endif
