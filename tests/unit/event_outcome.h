/* Event edits done to content that comes in pieces, and what came out of them. */
#ifndef TESTS_EVENT_OUTCOME_H
#define TESTS_EVENT_OUTCOME_H

#include <stdbool.h>

#include "lib/buf.h"
#include "mitm_proxy/event_edits.h"

#define EVENT_OUT_MAX (8 << 20)
#define EVENT_ACTIONS_MAX 8

struct event_outcome {
    struct buf bytes; /* with "<ms>" where it stalls */
    struct buf told;  /* indexes of actions, as in "0 1 1!not_json" */
    long calls;       /* of on_bytes and on_stall, before they fail; -1: they never do */
};

void event_outcome_init(struct event_outcome *outcome);
void event_outcome_deinit(struct event_outcome *outcome);
struct event_sink event_outcome_sink(struct event_outcome *outcome);

/* One rule with these actions: JSON objects with commas between. */
struct rules *event_rules(struct slice actions);
struct event_edits *event_edits_of(const struct rules *rules);

/* How long the next piece is, of so many bytes that are left. */
typedef size_t event_piece(size_t left);
event_piece event_whole, event_one_byte, event_some;

/*
 * Feeds CONTENT in such pieces. The end comes with the last piece where TOGETHER, and else by
 * itself. What event_edits_feed returned last.
 */
int event_feed(struct event_edits *edits, struct slice content, event_piece *piece, bool together,
    struct event_outcome *outcome);

/* All of it: OUTCOME begins anew. */
void event_edit(const struct rules *rules, struct slice content, event_piece *piece, bool together,
    struct event_outcome *outcome);

#endif
