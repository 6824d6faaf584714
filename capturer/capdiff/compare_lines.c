#include "capturer/capdiff/compare_lines.h"

#include <stdlib.h>

#include "capturer/capdiff/increasing.h"
#include "capturer/capdiff/memory.h"

void lines_split(struct lines *lines, struct slice text, bool heads)
{
    const char *at = text.data, *end = text.data + text.len;
    bool begins = heads;

    memset(lines, 0, sizeof(*lines));
    while (at < end) {
        const char *eol = memchr(at, '\r', (size_t)(end - at));
        struct line line = {.text = slice_of(at, (size_t)((eol != NULL ? eol : end) - at)),
            .place = lines->count,
            .match = LINE_NONE};
        const char *colon = line.text.len > 0 ? memchr(at, ':', line.text.len) : NULL;

        if (colon != NULL && !begins) {
            line.name = slice_of(at, (size_t)(colon - at));
            line.value = slice_trim(slice_of(colon + 1, line.text.len - line.name.len - 1));
        }
        begins = heads && line.text.len == 0;
        lines->items = memory_room(lines->items, lines->count, &lines->room, sizeof(line));
        lines->items[lines->count++] = line;
        at = eol != NULL && end - eol >= 2 ? eol + 2 : end;
    }
}

void lines_deinit(struct lines *lines)
{
    free(lines->items);
}

/* Start lines and ends of heads have no name, and come first; among themselves ends come first. */
static int compare_names(const struct line *a, const struct line *b)
{
    size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order;

    if (a->name.data == NULL || b->name.data == NULL) {
        if (a->name.data != b->name.data)
            return a->name.data == NULL ? -1 : 1;
        return (a->text.len > 0) - (b->text.len > 0);
    }
    order = strncasecmp(a->name.data, b->name.data, len);
    if (order != 0)
        return order;
    return a->name.len < b->name.len ? -1 : a->name.len > b->name.len;
}

static int compare_texts(const struct line *a, const struct line *b)
{
    size_t len = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = compare_names(a, b);

    if (order == 0 && len > 0)
        order = memcmp(a->text.data, b->text.data, len);
    if (order != 0)
        return order;
    return a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
}

static int by_place(const struct line *a, const struct line *b)
{
    return a->place < b->place ? -1 : a->place > b->place;
}

static int by_text(const void *left, const void *right)
{
    const struct line *const *a = left, *const *b = right;
    int order = compare_texts(*a, *b);

    return order != 0 ? order : by_place(*a, *b);
}

static int by_name(const void *left, const void *right)
{
    const struct line *const *a = left, *const *b = right;
    int order = compare_names(*a, *b);

    return order != 0 ? order : by_place(*a, *b);
}

/* Those that have no counterpart yet, sorted. The caller frees. */
static struct line **sort_left(
    const struct lines *lines, int (*order)(const void *, const void *), size_t *count)
{
    struct line **sorted = memory_new(lines->count, sizeof(struct line *));

    *count = 0;
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->items[i].match == LINE_NONE)
            sorted[(*count)++] = &lines->items[i];
    }
    if (*count > 0)
        qsort(sorted, *count, sizeof(struct line *), order);
    return sorted;
}

static void match_sorted(struct lines *a, struct lines *b, bool exact)
{
    size_t n, m, i = 0, j = 0;
    struct line **x = sort_left(a, exact ? by_text : by_name, &n);
    struct line **y = sort_left(b, exact ? by_text : by_name, &m);

    while (i < n && j < m) {
        int order = exact ? compare_texts(x[i], y[j]) : compare_names(x[i], y[j]);

        if (order == 0) {
            x[i]->match = y[j]->place;
            y[j]->match = x[i]->place;
        }
        i += order <= 0;
        j += order >= 0;
    }
    free(x);
    free(y);
}

/* Lines that are left over, though OTHER has some of the same name. */
static void mark_repeated(struct lines *lines, const struct lines *other)
{
    size_t n, i = 0, j = 0;
    struct line **left = sort_left(lines, by_name, &n);
    struct line **all = memory_new(other->count, sizeof(struct line *));

    for (size_t k = 0; k < other->count; k++)
        all[k] = &other->items[k];
    if (other->count > 0)
        qsort(all, other->count, sizeof(struct line *), by_name);
    while (i < n && j < other->count) {
        int order = compare_names(left[i], all[j]);

        if (order == 0)
            left[i]->repeated = true;
        i += order <= 0;
        j += order > 0;
    }
    free(left);
    free(all);
}

static void mark_moved(struct lines *lines)
{
    size_t *places = memory_new(lines->count, sizeof(*places));
    bool *stayed = memory_new(lines->count, sizeof(*stayed));

    for (size_t i = 0; i < lines->count; i++)
        places[i] = lines->items[i].match; /* LINE_NONE is INCREASING_NONE */
    increasing_find(places, lines->count, stayed);
    for (size_t i = 0; i < lines->count; i++)
        lines->items[i].moved = lines->items[i].match != LINE_NONE && !stayed[i];
    free(places);
    free(stayed);
}

void lines_match(struct lines *a, struct lines *b)
{
    match_sorted(a, b, true);
    match_sorted(a, b, false);
    mark_repeated(a, b);
    mark_repeated(b, a);
    mark_moved(a);
}
