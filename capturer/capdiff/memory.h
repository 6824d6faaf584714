/*
 * Memory, or the end of the run.
 *
 * capdiff runs once and leaves nothing half done: a report is written only after everything was
 * read. So there is nothing to undo when memory runs out, and the calls below do not return then:
 * they log one line and exit with status 2.
 */
#ifndef CAPDIFF_MEMORY_H
#define CAPDIFF_MEMORY_H

#include <stddef.h>

/* COUNT zeroed items of SIZE bytes. */
void *memory_new(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* SIZE bytes with anything in them. */
void *memory_raw(size_t size) __attribute__((malloc, returns_nonnull));

/* A copy of LEN bytes with a terminator behind them. */
char *memory_text(const char *data, size_t len) __attribute__((malloc, returns_nonnull));

/* A copy of a C string. */
char *memory_copy(const char *text) __attribute__((malloc, returns_nonnull));

/*
 * An array with room for one item more than COUNT: ITEMS itself, or a bigger block in its place.
 * *ROOM is the number of items that fit; it doubles.
 */
void *memory_room(void *items, size_t count, size_t *room, size_t size)
    __attribute__((returns_nonnull));

/* There is none: ends the run. */
_Noreturn void memory_gone(void);

/* Passes 0 and ends the run on anything else: for the status of a buf_* call that must succeed. */
static inline void memory_need(int status)
{
    if (status != 0)
        memory_gone();
}

#endif
