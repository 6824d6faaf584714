/*
 * Memory that runs out. Link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 */
#ifndef TESTS_SCARCE_MEMORY_H
#define TESTS_SCARCE_MEMORY_H

/* From now on COUNT allocations succeed and no more; -1: all of them. */
void scarce_memory(long count);

#endif
