#include "capturer/capdiff/increasing.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

/* The runs so far end in these places, by length; the first whose value is not below VALUE. */
static size_t find_run(const size_t *values, const size_t *ends, size_t length, size_t value)
{
    size_t low = 0;

    while (low < length) {
        size_t middle = low + (length - low) / 2;

        if (values[ends[middle]] < value)
            low = middle + 1;
        else
            length = middle;
    }
    return low;
}

void increasing_find(const size_t *values, size_t count, bool *in)
{
    size_t *ends = memory_new(count, sizeof(*ends)), *before = memory_new(count, sizeof(*before));
    size_t length = 0;

    if (count > 0)
        memset(in, 0, count * sizeof(*in));
    for (size_t i = 0; i < count; i++) {
        size_t run;

        if (values[i] == INCREASING_NONE)
            continue;
        run = find_run(values, ends, length, values[i]);
        before[i] = run > 0 ? ends[run - 1] : INCREASING_NONE;
        ends[run] = i;
        length += run == length;
    }
    for (size_t i = length > 0 ? ends[length - 1] : INCREASING_NONE; i != INCREASING_NONE;
         i = before[i])
        in[i] = true;
    free(ends);
    free(before);
}
