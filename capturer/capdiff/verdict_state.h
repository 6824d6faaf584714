/*
 * What the rooms of the verdict hand to each other: verdict (which views an exchange is in),
 * verdict_hop (one hop of it), verdict_lone (hops it was not seen on), verdict_rules (what rules
 * did to it as a whole), verdict_copies (requests that rules repeated), verdict_log (the log),
 * verdict_tls (what cannot be read).
 */
#ifndef CAPDIFF_VERDICT_STATE_H
#define CAPDIFF_VERDICT_STATE_H

#include "capturer/capdiff/declared.h"
#include "capturer/capdiff/findings.h"

/* What may explain an exchange that only the server saw: calls whose way was not seen. */
struct open_calls {
    const struct exchange **asked; /* on the client leg only */
    size_t n_asked;
    const struct log_record **told; /* of by the log only */
    size_t n_told;
};

/* Copies of a request that its record declares, by one rule. */
struct copies {
    const struct log_record *record;
    const struct log_change *change; /* the first one of its rule and action */
    uint64_t times;                  /* all of those together */
    uint64_t last_ms;                /* when the last of them may go, after the answer */
    uint64_t told;                   /* records of them */
};

struct court {
    struct findings *findings;
    const struct evidence *evidence;
    const struct option_list *ignore;
    struct addresses at_proxy;  /* the proxy's, towards the server, as it saw them itself */
    struct addresses at_server; /* and as the server saw them */
    struct open_calls open;
    struct copies *copies; /* by exchange */
    size_t n_copies, copies_room;
    char (*sent)[SHA256_HEX_SIZE]; /* digests of requests that clients had asked for, sorted */
    size_t n_sent;
    bool sent_known;
    bool client_unsure, upstream_unsure; /* not all of that leg was recorded at the proxy */
    bool proxy_lacks; /* the server saw exchanges of the proxy that its own recording lacks */
};

/* How the exchange at hand came through so far. */
struct case_state {
    const struct crossing *crossing;
    struct declared declared; /* while it is in the proxy */
    bool incomplete[2];       /* of request and response the views agree, as far as they go */
    bool excused[2];          /* … and that is how the log declares them */
    bool doubted;
};

/* One of the two is not whole, and nothing tells why. */
bool verdict_is_incomplete(const struct case_state *state);

/* Compares both messages of an exchange in two views that follow each other. */
void verdict_hop(struct court *court, struct case_state *state, enum hop hop, enum view near);

/* Asked on the client leg, and nothing of it on the upstream leg. */
void verdict_unforwarded(struct court *court, struct case_state *state);

/* Asked on the upstream leg only. False: it is no concern of ours. */
bool verdict_unasked_for(struct court *court, struct case_state *state);

/* Asked on the upstream leg, and not seen at the server. */
void verdict_unseen(struct court *court, struct case_state *state);

/* Seen at the server only. */
void verdict_server_only(struct court *court, struct case_state *state);

/* It is TLS on one leg, and not on the other, since the proxy takes it apart: nothing to judge. */
bool verdict_is_apart(const struct court *court, struct case_state *state);

/*
 * One recording has a connection as TLS, and the next one what was said within it: doubted, and not
 * to be judged. Between the client's own host and the proxy, the proxy and the server, and the same
 * of an exchange that the server alone has.
 */
bool verdict_is_veiled_client(struct court *court, struct case_state *state);
bool verdict_is_veiled(struct court *court, struct case_state *state);
bool verdict_is_veiled_server(struct court *court, struct case_state *state);

/* The log tells what was said within TLS that the proxy's capture holds. */
bool verdict_log_unveils(const struct court *court, const struct log_record *record);

/* There is a doubt of that kind. */
bool verdict_has_unread_tls(const struct findings *findings);

/* Where the captures are of one leg, all there is to judge about an exchange. */
void verdict_one_leg(struct court *court, struct case_state *state);

/* Doubts that SOURCE has recorded all. */
void verdict_lacks(struct court *court, struct case_state *state, enum source source);

/* Holds the exchange against its record, or notes that there is none. */
void verdict_log_crossing(struct court *court, const struct case_state *state);

/* It is, to the byte, and with a body, a request that went to the server before. */
bool verdict_is_replay(struct court *court, const struct exchange *exchange);

/* What only the log tells of. */
void verdict_log_rest(struct court *court);

/* The log declares something of an exchange that the wire does not bear out. */
void verdict_say_false(struct court *court, const struct case_state *state, const char *log,
    const char *wire, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * True if the log declares that the proxy ended the exchange, and the client leg, which is all
 * there is of it, bears that out.
 */
bool verdict_ended_request(struct court *court, struct case_state *state);

/*
 * The same for the response of one that has both legs. True: there is nothing more to compare;
 * false: what there is is to be compared, and may be declared as replaced.
 */
bool verdict_ended_response(struct court *court, struct case_state *state);

/* The exchange has both legs: no rule can have ended its request. */
void verdict_not_ended(struct court *court, struct case_state *state);

/* Looks for the second copy of a response that is declared as sent twice. */
void verdict_sent_twice(struct court *court, struct case_state *state);

/* Holds the time that a message was kept in the proxy against what is declared of that. */
void verdict_waits(struct court *court, const struct case_state *state, bool response,
    const struct message *before, const struct message *after);

/* What the log declares of copies; to be called before the next ones, and at the end. */
void verdict_copies_init(struct court *court);
void verdict_copies_deinit(struct court *court);

/* A request without a client: true if the log declares it as a copy, and rightly. */
bool verdict_copy(struct court *court, struct case_state *state);

/* Copies that are declared, and are not there. */
void verdict_copies_rest(struct court *court);

#endif
