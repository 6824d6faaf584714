#include "lib/spares.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

/* AddressSanitizer is to see who uses a block that was given back. */
void *spares_take(struct spares *spares)
{
    void *block = spares->first;
    if (!block)
        return malloc(spares->size);
    ASAN_UNPOISON_MEMORY_REGION(block, spares->size);
    memcpy(&spares->first, block, sizeof spares->first);
    spares->count--;
    return block;
}

void spares_give(struct spares *spares, void *block)
{
    if (spares->count == SPARES_MAX) {
        free(block);
        return;
    }
    memcpy(block, &spares->first, sizeof spares->first);
    ASAN_POISON_MEMORY_REGION(block, spares->size);
    spares->first = block;
    spares->count++;
}

void spares_deinit(struct spares *spares)
{
    while (spares->first)
        free(spares_take(spares));
}
