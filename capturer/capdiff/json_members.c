#include "capturer/capdiff/json_members.h"

#include <stdlib.h>

#include "capturer/capdiff/memory.h"

static unsigned char folded(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static int compare_folded(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (folded(a.data[i]) != folded(b.data[i]))
            return folded(a.data[i]) < folded(b.data[i]) ? -1 : 1;
    }
    return a.len == b.len ? 0 : a.len < b.len ? -1 : 1;
}

/* Those that differ only in case stand beside each other. */
static int compare_keys(struct slice a, struct slice b)
{
    int order = compare_folded(a, b);

    return order != 0 || a.len == 0 ? order : memcmp(a.data, b.data, a.len);
}

static int by_key(const void *left, const void *right)
{
    const struct json_member *const *a = left, *const *b = right;
    int order = compare_keys((*a)->key, (*b)->key);

    if (order != 0)
        return order;
    return (*a)->place < (*b)->place ? -1 : (*a)->place > (*b)->place;
}

static bool is_escaped(struct slice raw)
{
    return memchr(raw.data, '\\', raw.len) != NULL;
}

/* Without its quotes; decoded into DECODED, which has room for it, where there is an escape. */
static struct slice decode(struct slice raw, struct buf *decoded)
{
    size_t from = decoded->len;

    if (!is_escaped(raw))
        return slice_of(raw.data + 1, raw.len - 2);
    memory_need(json_string_decode(raw, decoded));
    return slice_of(decoded->data + from, decoded->len - from);
}

static void mark(struct json_members *members)
{
    for (size_t i = 1; i < members->count; i++) {
        struct json_member *last = members->sorted[i - 1], *next = members->sorted[i];

        if (slice_equal(last->key, next->key)) {
            last->repeated = next->repeated = members->repeated = true;
            last->shadowed = true;
            next->variant = last->variant;
        } else if (compare_folded(last->key, next->key) == 0) {
            last->variant = next->variant = true;
        }
    }
}

void json_members_init(struct json_members *members, const struct json_text *json, int object)
{
    size_t escaped = 0;

    memset(members, 0, sizeof(*members));
    for (int i = json_text_first(json, object); i >= 0; i = json_text_next(json, i)) {
        struct slice raw = json_text_key(json, i);

        members->count++;
        escaped += is_escaped(raw) ? raw.len : 0;
    }
    members->items = memory_new(members->count, sizeof(*members->items));
    members->sorted = memory_new(members->count, sizeof(struct json_member *));
    buf_init(&members->decoded, escaped); /* decoding never makes longer */
    memory_need(buf_reserve(&members->decoded, escaped));
    for (int i = json_text_first(json, object), at = 0; i >= 0; i = json_text_next(json, i), at++) {
        members->items[at] = (struct json_member){.value = i,
            .place = (size_t)at,
            .key = decode(json_text_key(json, i), &members->decoded),
            .match = JSON_NO_MEMBER};
        members->sorted[at] = &members->items[at];
    }
    if (members->count > 0)
        qsort(members->sorted, members->count, sizeof(struct json_member *), by_key);
    mark(members);
}

void json_members_deinit(struct json_members *members)
{
    free(members->items);
    free(members->sorted);
    buf_deinit(&members->decoded);
}

void json_members_match(struct json_members *a, struct json_members *b)
{
    size_t i = 0, j = 0;

    while (i < a->count && j < b->count) {
        struct json_member *x = a->sorted[i], *y = b->sorted[j];
        int order = compare_keys(x->key, y->key);

        if (order == 0) {
            x->match = y->place;
            y->match = x->place;
        }
        i += order <= 0;
        j += order >= 0;
    }
}
