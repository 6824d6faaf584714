/*
 * What the rooms of the verdict hand to each other: verdict (which views an exchange is in),
 * verdict_hop (one hop of it), verdict_log (against the exchange log).
 */
#ifndef CAPDIFF_VERDICT_STATE_H
#define CAPDIFF_VERDICT_STATE_H

#include "capturer/capdiff/findings.h"

struct court {
    struct findings *findings;
    const struct evidence *evidence;
    const struct option_list *ignore;
};

/* How the exchange at hand came through so far. */
struct case_state {
    const struct crossing *crossing;
    bool incomplete; /* the views agree, as far as it goes */
    bool doubted;
};

/* Compares both messages of an exchange in two views that follow each other. */
void verdict_hop(struct court *court, struct case_state *state, enum hop hop, enum view near);

/* Holds the exchange against its record, or notes that there is none. */
void verdict_log_crossing(struct court *court, const struct case_state *state);

/* What only the log tells of. */
void verdict_log_rest(struct court *court);

/* True if the log says that the proxy itself ended this exchange: an error, or a rule. */
bool verdict_log_explains(const struct crossing *crossing);

#endif
