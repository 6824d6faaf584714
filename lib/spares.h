/*
 * Blocks of memory of one size, kept for whoever needs one next: what waits holds none, and what
 * works need not ask malloc, which has its slow ways where many are in use at once.
 *
 * A block is malloc's own: it may be freed like any other, and is not given back then. Of one
 * thread.
 */
#ifndef LIB_SPARES_H
#define LIB_SPARES_H

#include <stddef.h>

#define SPARES_MAX 256 /* blocks that are kept */

struct spares {
    size_t size;  /* bytes of a block, at least a pointer's */
    size_t count; /* kept now */
    void *first;
};

/* One that is kept, or a new one; NULL when there is no memory. What is in it means nothing. */
void *spares_take(struct spares *spares);

void spares_give(struct spares *spares, void *block);

/* Frees those that are kept. */
void spares_deinit(struct spares *spares);

#endif
