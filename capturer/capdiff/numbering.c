#include "capturer/capdiff/numbering.h"

#include <stdlib.h>

#include "capturer/capdiff/memory.h"

static enum leg numbered_leg(const struct evidence *evidence)
{
    return evidence->legs.one_leg ? LEG_UPSTREAM : LEG_CLIENT;
}

static int by_order(const void *left, const void *right)
{
    const struct exchange *a = *(struct exchange *const *)left;
    const struct exchange *b = *(struct exchange *const *)right;

    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return 0;
}

void numbering_go_on(struct evidence *evidence, const struct connection_list *list)
{
    struct exchange **items = NULL;
    size_t count = 0, room = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct connection *connection = list->items[i];
        const struct exchanges *http = &connection->http;

        for (size_t k = http->count;
             connection->leg == numbered_leg(evidence) && k-- > 0 && http->items[k]->number == 0;) {
            if (http->items[k]->order == 0)
                continue;
            items = memory_room(items, count, &room, sizeof(struct exchange *));
            items[count++] = http->items[k];
        }
    }
    if (count > 0)
        qsort(items, count, sizeof(struct exchange *), by_order);
    for (size_t i = 0; i < count; i++)
        items[i]->number = ++evidence->settled.numbered;
    free(items);
}
