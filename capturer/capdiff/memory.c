#include "capturer/capdiff/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

_Noreturn void memory_gone(void)
{
    log_error("out of memory: compare smaller captures, or on a machine with more memory");
    exit(2);
}

void *memory_new(size_t count, size_t size)
{
    void *items = calloc(count > 0 ? count : 1, size);

    if (items == NULL)
        memory_gone();
    return items;
}

void *memory_raw(size_t size)
{
    void *data = malloc(size);

    if (data == NULL)
        memory_gone();
    return data;
}

char *memory_text(const char *data, size_t len)
{
    char *text = memory_new(len + 1, 1);

    if (len > 0)
        memcpy(text, data, len);
    return text;
}

char *memory_copy(const char *text)
{
    return memory_text(text, strlen(text));
}

void *memory_room(void *items, size_t count, size_t *room, size_t size)
{
    size_t more = *room > 0 ? *room * 2 : 8;

    if (count < *room)
        return items;
    if (more > SIZE_MAX / size)
        memory_gone();
    items = realloc(items, more * size);
    if (items == NULL)
        memory_gone();
    *room = more;
    return items;
}
