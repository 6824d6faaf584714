/*
 * How many calls were refused, by the word that was answered.
 */
#ifndef AGENT_B_REFUSALS_H
#define AGENT_B_REFUSALS_H

#include <stdint.h>

#include "lib/buf.h"

#define REFUSALS_WORDS_MAX 64 /* there are some twenty words */

/* Begins with all zero. */
struct refusals {
    struct {
        const char *word;
        uint64_t count;
    } items[REFUSALS_WORDS_MAX];
    size_t n_items;
};

/* Counts one. WORD is a literal. */
void refusals_count(struct refusals *refusals, const char *word);

/* Appends {"WORD":COUNT,…}, in the order in which the words came up. 0 or an error of buf.h. */
int refusals_print(const struct refusals *refusals, struct buf *out)
    __attribute__((warn_unused_result));

#endif
