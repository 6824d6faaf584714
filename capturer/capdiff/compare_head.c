/* Heads and trailer sections, line by line: lib/http_parser has checked that all end with CRLF. */
#include <stdlib.h>

#include "capturer/capdiff/compare_lines.h"
#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"

#define NAME_SHOWN_MAX 64

/* What the lines at hand are. */
struct section {
    struct comparison *comparison;
    enum place_kind kind; /* of its fields */
    const char *what;     /* "field" */
    struct lines a, b;
};

/* Where in its message a line stands. */
static uint64_t offset_of(const struct message_view *view, const struct line *line)
{
    return (uint64_t)(line->text.data - view->head.data);
}

static struct place_texts texts_of(const struct line *before, const struct line *after)
{
    static const struct line absent;
    const struct line *b = before != NULL ? before : &absent, *a = after != NULL ? after : &absent;
    size_t at = excerpt_first_difference(b->text, a->text);

    return (struct place_texts){
        .name = before != NULL ? b->name : a->name,
        .value_before = b->value,
        .value_after = a->value,
        .shown_before = b->text,
        .shown_after = a->text,
        .at_before = at,
        .at_after = at,
    };
}

/* The N-th of three parts between spaces; the last one goes to the end. */
static struct slice part_of(struct slice line, int n)
{
    for (int i = 0; i < n; i++) {
        const char *space = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
        size_t taken = space != NULL ? (size_t)(space - line.data) + 1 : line.len;

        line = slice_of(line.data + taken, line.len - taken);
    }
    if (n < 2 && line.len > 0 && memchr(line.data, ' ', line.len) != NULL)
        line.len = (size_t)((const char *)memchr(line.data, ' ', line.len) - line.data);
    return line;
}

/* ", its target": where one part of a start line alone is another. */
static const char *start_line_part(bool response, struct slice before, struct slice after)
{
    static const char *const parts[2][3] = {{", its method", ", its target", ", its version"},
        {", its version", ", its status", ", its reason phrase"}};
    const char *found = "";
    int differing = 0;

    for (int i = 0; i < 3; i++) {
        if (slice_equal(part_of(before, i), part_of(after, i)))
            continue;
        found = parts[response][i];
        differing++;
    }
    return differing == 1 ? found : "";
}

static void add_start_line(
    struct section *section, const struct line *before, const struct line *after)
{
    struct comparison *comparison = section->comparison;
    struct place_texts texts = texts_of(before, after);
    const struct line *known = before != NULL ? before : after;
    uint64_t offset =
        offset_of(before != NULL ? &comparison->view_before : &comparison->view_after, known) +
        texts.at_before;
    const char *part = "";

    texts.value_before = before != NULL ? before->text : slice_of(NULL, 0);
    texts.value_after = after != NULL ? after->text : slice_of(NULL, 0);
    texts.change = before == NULL ? CHANGE_ADDED : after == NULL ? CHANGE_REMOVED : CHANGE_VALUE;
    if (before == NULL || after == NULL)
        part = before == NULL ? ", added" : ", removed";
    else
        part = start_line_part(comparison->response, before->text, after->text);
    comparison_add(comparison, PLACE_START_LINE, offset, &texts, "%s start line%s",
        comparison_side(comparison), part);
}

static enum place_change change_of(const struct line *before, const struct line *after)
{
    if (before == NULL)
        return after->repeated ? CHANGE_REPEATED : CHANGE_ADDED;
    if (after == NULL)
        return CHANGE_REMOVED;
    if (!slice_equal(before->value, after->value))
        return CHANGE_VALUE;
    return slice_equal(before->name, after->name) ? CHANGE_SPACES : CHANGE_NAME_CASE;
}

/* In words; what else is other in the line goes with it. */
static const char *change_text(
    enum place_change change, const struct line *before, const struct line *after)
{
    switch (change) {
    case CHANGE_ADDED:
        return ", added";
    case CHANGE_REPEATED:
        return ", added to one of that name";
    case CHANGE_REMOVED:
        return before->repeated ? ", removed, and another of that name stays" : ", removed";
    case CHANGE_SPACES:
        return ", spaces around its value";
    case CHANGE_NAME_CASE:
        return ", letter case of its name";
    default:
        return slice_equal(before->name, after->name) ? "" : ", value and letter case of its name";
    }
}

static void add_field(struct section *section, const struct line *before, const struct line *after)
{
    struct comparison *comparison = section->comparison;
    const struct line *known = before != NULL ? before : after;
    struct place_texts texts = texts_of(before, after);
    uint64_t offset =
        offset_of(before != NULL ? &comparison->view_before : &comparison->view_after, known) +
        texts.at_before;
    char *name;

    if (known->name.data == NULL) {
        add_start_line(section, before, after);
        return;
    }
    texts.change = change_of(before, after);
    name = excerpt_text(known->name, NAME_SHOWN_MAX);
    comparison_add(comparison, section->kind, offset, &texts, "%s %s %s%s",
        comparison_side(comparison), section->what, name, change_text(texts.change, before, after));
    free(name);
}

static void add_move(struct section *section, const struct line *line)
{
    struct comparison *comparison = section->comparison;
    const struct line *other = &section->b.items[line->match];
    const struct line *behind = other->place > 0 ? other - 1 : NULL;
    bool first = behind == NULL || behind->name.data == NULL;
    struct place_texts texts = texts_of(line, other);
    char *name = excerpt_text(
        line->name.data != NULL ? line->name : slice_str("(start line)"), NAME_SHOWN_MAX);
    char *anchor = first ? NULL : excerpt_text(behind->name, NAME_SHOWN_MAX);

    texts.change = CHANGE_MOVED;
    if (line->name.data == NULL)
        texts.value_after = other->text;
    comparison_add(comparison, PLACE_FIELD_ORDER, offset_of(&comparison->view_before, line), &texts,
        "%s %s %s, moved %s%s", comparison_side(comparison), section->what, name,
        first ? "to the front" : "behind ", first ? "" : anchor);
    free(name);
    free(anchor);
}

static void compare_section(struct section *section, struct slice before, struct slice after)
{
    bool heads = section->kind == PLACE_FIELD;
    struct lines *a = &section->a, *b = &section->b;

    lines_split(a, before, heads);
    lines_split(b, after, heads);
    lines_match(a, b);
    for (size_t i = 0; i < a->count; i++) {
        const struct line *line = &a->items[i];

        if (line->match == LINE_NONE)
            add_field(section, line, NULL);
        else if (!slice_equal(line->text, b->items[line->match].text))
            add_field(section, line, &b->items[line->match]);
    }
    for (size_t j = 0; j < b->count; j++) {
        if (b->items[j].match == LINE_NONE)
            add_field(section, NULL, &b->items[j]);
    }
    for (size_t i = 0; i < a->count; i++) {
        if (a->items[i].moved)
            add_move(section, &a->items[i]);
    }
    lines_deinit(a);
    lines_deinit(b);
}

void compare_heads(struct comparison *comparison)
{
    struct section section = {.comparison = comparison, .kind = PLACE_FIELD, .what = "field"};

    compare_section(&section, comparison->view_before.head, comparison->view_after.head);
}

void compare_trailers(struct comparison *comparison, struct slice before, struct slice after)
{
    struct section section = {
        .comparison = comparison, .kind = PLACE_TRAILER, .what = "trailer field"};

    if (!slice_equal(before, after))
        compare_section(&section, before, after);
}
