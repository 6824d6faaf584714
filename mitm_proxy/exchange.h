/*
 * One exchange: a request and its response (RFC 9110 §3.5), as the proxy saw it.
 *
 * Filled by the session while the bytes pass, then shown to the observers once.
 */
#ifndef MITM_PROXY_EXCHANGE_H
#define MITM_PROXY_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/http_head.h"
#include "lib/sha256.h"
#include "mitm_proxy/connection.h"
#include "mitm_proxy/tunnel.h"

#define EXCHANGE_PEEK_MAX (256 * 1024UL) /* bytes of JSON that are searched for names */

#define EXCHANGE_LINE_SIZE 128 /* bytes of method and target that take no memory */
#define EXCHANGE_NAMES_SIZE 96 /* bytes of the names that take none */

struct destination;
struct json_text;
struct replay;
struct spares;

struct exchange {
    struct exchange *next; /* in the order of the requests */
    const struct connection *connection;
    const struct destination *to; /* where the request goes; NULL before that is known */
    uint64_t id;                  /* from 1, over all connections */
    uint64_t wall_ns;             /* when the request's head was whole */
    uint64_t started_ns;          /* the same moment, monotonic */
    uint64_t sent_ns;             /* the request's head was passed on, 0 if never */
    uint64_t finished_ns;
    char *long_line;                        /* where it does not fit into `line`, or NULL */
    struct slice method, target;            /* absent where no request line could be read */
    int status;                             /* of the final response, 0 if none */
    uint64_t request_bytes, response_bytes; /* content, without chunk framing */
    char request_sha256[SHA256_HEX_SIZE];   /* "" when the body was never whole */
    char response_sha256[SHA256_HEX_SIZE];
    char *long_names; /* where the three below do not fit into `names`, or NULL */
    struct slice call_id, tool_name, rpc_method; /* JSON text, quotes and all, or absent */
    struct buf rules;       /* JSON strings, comma-separated: the rules that fired */
    struct buf changes;     /* JSON objects, comma-separated: what was changed on purpose */
    struct buf answer;      /* that a rule gives in the upstream's place, once it is known */
    struct buf lets_go;     /* uint64_t each: what waits until this request has gone */
    struct replay *replays; /* that begin when the exchange is over */
    struct tunnel
        *tunnel;        /* what passes unread; before it has begun: what was asked for; or NULL */
    const char *error;  /* fixed word, NULL: none */
    const char *reason; /* a sentence that goes with it, or NULL */
    char *own_reason;   /* where it is not a fixed one, or NULL */
    int refusal;        /* status of the answer that we owe instead of the upstream's, 0: none */
    bool head_request;
    bool upgrade;
    bool request_whole;
    bool connects;   /* a CONNECT that is let in */
    bool keep_alive; /* the client would send a further request behind this one */
    bool http_1_0;   /* it speaks no HTTP/1.1 */
    bool answer_closes;
    int reset_side; /* where a rule resets: enum rule_reset_side */
    struct spares *spares;
    char line[EXCHANGE_LINE_SIZE]; /* what method and target show */
    char names[EXCHANGE_NAMES_SIZE];
};

/* Of SPARES, where it goes back to, or of malloc where that is NULL. NULL when there is no memory.
 */
struct exchange *exchange_new(
    struct spares *spares, const struct connection *connection, uint64_t id);
void exchange_free(struct exchange *exchange);

/* Copies what a log needs from the request's head. 0 or UV_ENOMEM. */
int exchange_set_head(struct exchange *exchange, const struct http_head *head)
    __attribute__((warn_unused_result));

/* Copies what a tunnel goes to, as its target; absent where there is no memory. */
void exchange_set_target(struct exchange *exchange, const char *target);

/* Another exchange with the same request to TARGET, begun now. NULL when there is no memory. */
struct exchange *exchange_copy_request(const struct exchange *of, struct slice target);

/*
 * Looks in a JSON body for the names that people search for: id, tool_name or, for JSON-RPC 2.0,
 * method and params.name. A body that is no JSON object leaves them absent. The same for one that
 * was read, or is no JSON: NULL.
 */
void exchange_read_names(struct exchange *exchange, struct slice body);
void exchange_take_names(struct exchange *exchange, const struct json_text *body);

/* Notes that the request's field NAME was passed on with another value. */
void exchange_note_field(
    struct exchange *exchange, const char *name, struct slice old, struct slice new_value);

/* Notes that a rule fired. */
void exchange_note_rule(struct exchange *exchange, struct slice name);

#endif
