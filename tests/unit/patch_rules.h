/*
 * A JSON Patch as text, read as the rules file reads it: for all tests of json_splice.
 */
#ifndef TESTS_PATCH_RULES_H
#define TESTS_PATCH_RULES_H

#include "mitm_proxy/rules_load.h"

/* NULL when PATCH is none, with why in ERRORS. Free with rules_free. */
struct rules *patch_rules(struct slice patch, struct buf *errors);

/* The operations of what patch_rules returned. */
const struct rule_patch *patch_of(const struct rules *rules);

/* json_splice of a text. */
bool patch_text(struct slice text, const struct json_op *ops, size_t count, struct buf *out,
    const struct json_splice_watch *watch, struct json_splice_problem *problem)
    __attribute__((warn_unused_result));

#endif
