/* Heads, line by line: lib/http_parser has checked that every line of them ends with CRLF. */
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"

#define NAME_SHOWN_MAX 64

struct line {
    struct slice text;
    struct slice name;  /* absent for a start line and for the line that ends a head */
    struct slice value; /* without the white space around it */
    size_t match;       /* the same line on the other side, counted from 1; 0: none */
};

struct lines {
    struct line *items;
    size_t count, room;
};

static bool is_start_line(const struct lines *lines, size_t at)
{
    return at == 0 || lines->items[at - 1].text.len == 0;
}

static void split(struct lines *lines, const struct message *message)
{
    size_t len =
        message->head_len < message->raw.len ? (size_t)message->head_len : message->raw.len;
    const char *at = message->raw.data, *end = at + len;

    memset(lines, 0, sizeof(*lines));
    while (at < end) {
        const char *eol = memchr(at, '\r', (size_t)(end - at));
        struct line line = {.text = slice_of(at, (size_t)((eol != NULL ? eol : end) - at))};
        const char *colon = line.text.len > 0 ? memchr(at, ':', line.text.len) : NULL;

        lines->items = memory_room(lines->items, lines->count, &lines->room, sizeof(line));
        if (colon != NULL && !is_start_line(lines, lines->count)) {
            line.name = slice_of(at, (size_t)(colon - at));
            line.value = slice_trim(slice_of(colon + 1, line.text.len - line.name.len - 1));
        }
        lines->items[lines->count++] = line;
        at = eol != NULL && end - eol >= 2 ? eol + 2 : end;
    }
}

static bool same_name(struct slice a, struct slice b)
{
    if (a.data == NULL || b.data == NULL)
        return a.data == b.data;
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/* Pairs equal lines first, then those with the same name, each time the earliest free one. */
static void match_lines(struct lines *a, struct lines *b, bool exact)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t j = 0; a->items[i].match == 0 && j < b->count; j++) {
            const struct line *x = &a->items[i];

            if (b->items[j].match != 0)
                continue;
            if (exact ? slice_equal(x->text, b->items[j].text)
                      : same_name(x->name, b->items[j].name)) {
                a->items[i].match = j + 1;
                b->items[j].match = i + 1;
            }
        }
    }
}

static void add_line(
    struct comparison *comparison, const struct line *before, const struct line *after)
{
    static const struct line absent;
    const struct line *known = before != NULL ? before : after;
    const struct line *b = before != NULL ? before : &absent, *a = after != NULL ? after : &absent;
    size_t at = excerpt_first_difference(b->text, a->text);
    struct place_texts texts = {.name = known->name,
        .value_before = b->value,
        .value_after = a->value,
        .shown_before = b->text,
        .shown_after = a->text,
        .at_before = at,
        .at_after = at};
    char *name;
    uint64_t offset =
        (uint64_t)(known->text.data -
                   (before != NULL ? comparison->before : comparison->after)->raw.data);

    offset += at;
    if (known->name.data == NULL) {
        comparison_add(comparison, PLACE_START_LINE, offset, &texts, "%s start line",
            comparison_side(comparison));
        return;
    }
    name = excerpt_text(known->name, NAME_SHOWN_MAX);
    comparison_add(comparison, PLACE_FIELD, offset, &texts, "%s field %s%s",
        comparison_side(comparison), name,
        before == NULL  ? ", added"
        : after == NULL ? ", removed"
                        : "");
    free(name);
}

/* The first line that comes before one it used to follow. */
static void check_order(struct comparison *comparison, const struct lines *a, const struct lines *b)
{
    size_t last = 0;

    for (size_t i = 0; i < a->count; i++) {
        const struct line *line = &a->items[i];

        if (line->match == 0)
            continue;
        if (line->match < last) {
            struct place_texts texts = {.name = line->name,
                .value_before = line->text,
                .value_after = b->items[last - 1].text,
                .shown_before = line->text,
                .shown_after = b->items[last - 1].text};

            comparison_add(comparison, PLACE_FIELD_ORDER,
                (uint64_t)(line->text.data - comparison->before->raw.data), &texts,
                "%s fields, their order", comparison_side(comparison));
            return;
        }
        last = line->match;
    }
}

static void compare_lines(struct comparison *comparison, struct lines *a, struct lines *b)
{
    match_lines(a, b, true);
    match_lines(a, b, false);
    for (size_t i = 0; i < a->count; i++) {
        const struct line *line = &a->items[i];

        if (line->match == 0)
            add_line(comparison, line, NULL);
        else if (!slice_equal(line->text, b->items[line->match - 1].text))
            add_line(comparison, line, &b->items[line->match - 1]);
    }
    for (size_t j = 0; j < b->count; j++) {
        if (b->items[j].match == 0)
            add_line(comparison, NULL, &b->items[j]);
    }
    check_order(comparison, a, b);
}

void compare_heads(struct comparison *comparison)
{
    struct lines a, b;

    split(&a, comparison->before);
    split(&b, comparison->after);
    if (a.items != NULL && b.items != NULL)
        compare_lines(comparison, &a, &b);
    free(a.items);
    free(b.items);
}
