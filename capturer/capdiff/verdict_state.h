/*
 * What the rooms of the verdict hand to each other: verdict (which views an exchange is in),
 * verdict_hop (one hop of it), verdict_lone (hops it was not seen on), verdict_log (the log).
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

struct court {
    struct findings *findings;
    const struct evidence *evidence;
    const struct option_list *ignore;
    struct addresses at_proxy;  /* the proxy's, towards the server, as it saw them itself */
    struct addresses at_server; /* and as the server saw them */
    struct open_calls open;
    bool client_unsure, upstream_unsure; /* not all of that leg was recorded at the proxy */
    bool proxy_lacks; /* the server saw exchanges of the proxy that its own recording lacks */
};

/* How the exchange at hand came through so far. */
struct case_state {
    const struct crossing *crossing;
    struct declared declared; /* while it is in the proxy */
    bool incomplete;          /* the views agree, as far as it goes */
    bool doubted;
};

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

/* Where the captures are of one leg, all there is to judge about an exchange. */
void verdict_one_leg(struct court *court, struct case_state *state);

/* Doubts that SOURCE has recorded all. */
void verdict_lacks(struct court *court, struct case_state *state, enum source source);

/* Holds the exchange against its record, or notes that there is none. */
void verdict_log_crossing(struct court *court, const struct case_state *state);

/* What only the log tells of. */
void verdict_log_rest(struct court *court);

/* True if the log says that the proxy itself ended this exchange: an error, or a rule. */
bool verdict_log_explains(const struct crossing *crossing);

#endif
