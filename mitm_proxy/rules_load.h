/*
 * Rules from a JSON file, whose format is rules.schema.json (JSON Schema, draft 2020-12).
 *
 * Everything that is wrong is said, one line each:
 *
 *     rules.json: /rules/0/do/1/delay/ms: must be a whole number from 0 to 3600000
 *
 * Stricter than the schema, which cannot say it: no key stands twice, no two rules have one name,
 * what is answered with is saved by a rule, and the file is UTF-8. Values that are matched or put
 * into messages keep their very text, and may have keys that stand twice.
 */
#ifndef MITM_PROXY_RULES_LOAD_H
#define MITM_PROXY_RULES_LOAD_H

#include "mitm_proxy/rules.h"

#define RULES_FILE_MAX (4 << 20)    /* bytes */
#define RULES_ERRORS_MAX (64 << 10) /* bytes: a fit maximum for ERRORS */
#define RULES_MAX 1000
#define RULE_ACTIONS_MAX 64
#define RULE_OPS_MAX 256
#define RULE_NAME_MAX 64

/*
 * NULL when anything is wrong, with whole lines in ERRORS; those past its maximum are only counted
 * in *N_ERRORS.
 */
struct rules *rules_load(const char *path, struct buf *errors, size_t *n_errors);

/* The same for the text of a file, which FILE is only the name of. TEXT is not needed later. */
struct rules *rules_load_text(
    const char *file, struct slice text, struct buf *errors, size_t *n_errors);

#endif
