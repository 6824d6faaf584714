/*
 * Blocks of memory of one size, kept for whoever needs one next: what waits holds none, and what
 * works need not ask malloc, which has its slow ways where many are in use at once.
 *
 * A block is malloc's own: it may be freed or grown like any other, and is not given back then. Of
 * one thread.
 */
#ifndef LIB_SPARES_H
#define LIB_SPARES_H

#include <stddef.h>

#include "lib/buf.h"

#define SPARES_MAX 256 /* blocks that are kept */

struct spares {
    size_t size;  /* bytes of a block, at least a pointer's */
    size_t count; /* kept now */
    void *first;
};

/* One that is kept, or a new one; NULL when there is no memory. What is in it means nothing. */
void *spares_take(struct spares *spares);

void spares_give(struct spares *spares, void *block);

/*
 * A block for BUF, which has no memory yet and may have more than that; where there is none, it
 * gets memory with what is put into it, as ever. And back, as it was or grown. SPARES may be NULL.
 */
void spares_lend(struct spares *spares, struct buf *buf);
void spares_take_back(struct spares *spares, struct buf *buf);

/* Frees those that are kept. */
void spares_deinit(struct spares *spares);

#endif
