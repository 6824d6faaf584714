/*
 * What the rules that fired do to a message before it passes on: edits of its head and, where it
 * was gathered, of its body; and which of their actions are left for the way. All of it is noted in
 * the exchange's changes. No I/O.
 */
#ifndef MITM_PROXY_TAMPER_H
#define MITM_PROXY_TAMPER_H

#include <stdbool.h>

#include "mitm_proxy/changes.h"
#include "mitm_proxy/content.h"
#include "mitm_proxy/message.h"
#include "mitm_proxy/rules.h"
#include "mitm_proxy/saved.h"

#define TAMPER_NONE SIZE_MAX /* no step */

/* One action of a rule. */
struct tamper_step {
    const struct rule *rule;
    const struct rule_action *action;
};

/* What the session knows of the message. */
struct tamper_facts {
    bool response;
    bool gathered;      /* else its body is still to come */
    bool event_stream;  /* never gathered */
    bool bodiless;      /* whatever its head says: to HEAD, 204, 304 */
    bool empty;         /* its head says that it has no byte of content */
    bool http_1_0;      /* the client knows no chunks */
    int status;         /* of a response */
    struct sha256 *sha; /* for digests of the message */
    struct saved *saved;
};

struct tamper {
    struct tamper_step *steps; /* in the order of the rules */
    size_t count;
    struct tamper_facts facts;
    struct buf *changes;
    struct buf late;  /* notes that stand behind the one of the body */
    size_t body_step; /* changed the body as a whole, or TAMPER_NONE */
    bool content_changed;
    size_t end_step;                         /* respond, drop or reset, or TAMPER_NONE */
    size_t *pass_steps;                      /* those that are done while the body passes … */
    const struct rule_action **pass_actions; /* … as body_pass wants them */
    size_t n_pass;
    enum message_framing pass_framing; /* in which the body comes to them */
};

/*
 * FIRED are rules that outlive the tamper. CHANGES is written to until the end. 0 or UV_ENOMEM;
 * tamper_deinit is owed either way.
 */
int tamper_begin(struct tamper *tamper, const struct rule *const *fired, size_t count,
    const struct tamper_facts *facts, struct buf *changes) __attribute__((warn_unused_result));
void tamper_deinit(struct tamper *tamper);

/*
 * Does the edits, and finds out which steps are done later. CONTENT is the message's, where it was
 * gathered, else NULL; it has its digest then where what came may be told as a whole, and is
 * not left as it is. 0 or UV_ENOMEM.
 */
int tamper_edit(struct tamper *tamper, struct message *message, struct content *content)
    __attribute__((warn_unused_result));

/* For notes of that step. */
struct change tamper_change(struct tamper *tamper, size_t step);

/*
 * The body has passed: notes OLD and NOW if the edits, or else STEP (TAMPER_NONE: none), changed it
 * as a whole; and what stands behind that.
 */
void tamper_note_body(struct tamper *tamper, size_t step, const struct change_body *old,
    const struct change_body *now);
/* Only what stands behind it. */
void tamper_note_late(struct tamper *tamper);

#endif
