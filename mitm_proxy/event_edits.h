/*
 * Server-sent events changed as they pass (WHATWG HTML §9.2): edit_event, drop_event, inject_event
 * and stall of rules.h. No I/O. What comes out, and in which order, does not hang on the pieces in
 * which content comes in.
 *
 * - An event that no action concerns passes byte for byte, and so do comments, other fields and a
 *   byte order mark. Of an event that is dropped, the comments before its first line stay.
 * - Events are counted as they come: dropped ones count, injected ones do not, and a block without
 *   a data line is no event. An event that the end of the content cuts off is none either.
 * - While an action may concern an event, which is known when it is over, it is held, up to
 *   EVENT_MAX; others are not.
 * - Actions are done to an event in their order, each to what the one before has left. Data that is
 *   the same afterwards is no change.
 * - What is injected or stalls before the first event does so where the content begins, behind a
 *   byte order mark.
 */
#ifndef MITM_PROXY_EVENT_EDITS_H
#define MITM_PROXY_EVENT_EDITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"
#include "mitm_proxy/rules.h"

#define EVENT_MAX (1 << 20) /* bytes of an event that is changed, before and afterwards */

struct event_edits;

/* Hears what comes out. ACTION is an index among those that event_edits_new was given. */
struct event_sink {
    /* Valid during the call. 0, or a negative UV_E* with which feeding ends. */
    int (*on_bytes)(void *arg, struct slice bytes);
    /* Behind the bytes so far nothing goes on for MS. As on_bytes. */
    int (*on_stall)(void *arg, uint64_t ms, size_t action);
    /* An event was edited, dropped or injected. */
    void (*on_done)(void *arg, size_t action);
    /*
     * The action was not done to an event that it is for. WORD is event_too_large or one of
     * json_splice.h, REASON a sentence without the full stop.
     */
    void (*on_failed)(void *arg, size_t action, const char *word, const char *reason);
    void *arg;
};

/*
 * ACTIONS are of these four kinds and outlive the edits; the list itself need not. NULL when there
 * is no memory.
 */
struct event_edits *event_edits_new(const struct rule_action *const *actions, size_t count);
void event_edits_free(struct event_edits *edits);

/*
 * Takes content as it comes; LAST: it ends here, and CONTENT may be empty. 0, what the sink
 * returned, or UV_ENOMEM: nothing can be fed any more then.
 */
int event_edits_feed(struct event_edits *edits, struct slice content, bool last,
    const struct event_sink *sink) __attribute__((warn_unused_result));

#endif
