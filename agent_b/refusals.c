#include "agent_b/refusals.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void refusals_count(struct refusals *refusals, const char *word)
{
    size_t i = 0;
    while (i < refusals->n_items && strcmp(refusals->items[i].word, word) != 0)
        i++;
    assert(i < REFUSALS_WORDS_MAX);
    if (i == refusals->n_items)
        refusals->items[refusals->n_items++].word = word;
    refusals->items[i].count++;
}

int refusals_print(const struct refusals *refusals, struct buf *out)
{
    int status = buf_append_char(out, '{');
    for (size_t i = 0; status == 0 && i < refusals->n_items; i++)
        status = buf_printf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", refusals->items[i].word,
            refusals->items[i].count);
    return status == 0 ? buf_append_char(out, '}') : status;
}
