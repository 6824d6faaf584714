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

#endif
