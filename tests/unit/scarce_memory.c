#include "tests/unit/scarce_memory.h"

#include <stdbool.h>
#include <stdlib.h>

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker names them */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static long left = -1;

void scarce_memory(long count)
{
    left = count;
}

static bool is_left(void)
{
    if (left > 0)
        left--;
    else if (left == 0)
        return false;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return is_left() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_left() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    return is_left() ? __real_realloc(old, size) : NULL;
}
/* NOLINTEND(bugprone-reserved-identifier) */
