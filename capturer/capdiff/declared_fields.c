/* Changes of field lines, done again: name by name, as lines of other names have no part in it. */
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/compare_lines.h"
#include "capturer/capdiff/declared_state.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/json_edit.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/redaction.h"

#define SHOWN_MAX ((size_t)200)
#define STARS_MAX ((size_t)64 * 1024) /* no field is longer */

/* The lines of one name, in the last head of a message. */
struct name_lines {
    struct buf *items; /* each a line, without its end */
    size_t count, room;
};

static void add_line(struct name_lines *lines, struct slice text)
{
    struct buf line;

    buf_init(&line, SIZE_MAX);
    memory_need(buf_append(&line, text.data, text.len));
    lines->items = memory_room(lines->items, lines->count, &lines->room, sizeof(struct buf));
    lines->items[lines->count++] = line;
}

static void drop_line(struct name_lines *lines, size_t at)
{
    buf_deinit(&lines->items[at]);
    lines->count--;
    memmove(&lines->items[at], &lines->items[at + 1], (lines->count - at) * sizeof(*lines->items));
}

static void drop_all(struct name_lines *lines)
{
    while (lines->count > 0)
        drop_line(lines, lines->count - 1);
}

static bool is_name(struct slice a, struct slice b)
{
    return a.data != NULL && a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

static void find_lines(struct name_lines *found, const struct message_view *view, struct slice name)
{
    struct lines lines;

    *found = (struct name_lines){NULL, 0, 0};
    lines_split(&lines, view->head, true);
    for (size_t i = 0; i < lines.count; i++) {
        if (is_name(lines.items[i].name, name))
            add_line(found, lines.items[i].text);
        else if (lines.items[i].text.len == 0 && i + 1 < lines.count)
            drop_all(found); /* that was an interim response */
    }
    lines_deinit(&lines);
}

static void lines_free(struct name_lines *lines)
{
    drop_all(lines);
    free(lines->items);
}

static struct slice value_of(const struct buf *line, struct slice name)
{
    return slice_trim(slice_of(line->data + name.len + 1, line->len - name.len - 1));
}

/* All values in one, as RFC 9110 §5.3 has it; absent: there is no such field. */
static struct slice join_values(
    const struct name_lines *lines, struct slice name, struct buf *joined)
{
    buf_init(joined, SIZE_MAX);
    for (size_t i = 0; i < lines->count; i++) {
        struct slice value = value_of(&lines->items[i], name);

        memory_need(buf_append_str(joined, i > 0 ? ", " : ""));
        memory_need(buf_append(joined, value.data, value.len));
    }
    if (lines->count == 0)
        return slice_of(NULL, 0);
    return slice_of(joined->data != NULL ? joined->data : "", joined->len);
}

static void set_value(struct buf *line, struct slice name, struct slice value)
{
    struct slice old = value_of(line, name);
    size_t at = (size_t)(old.data - line->data);
    struct buf text;

    buf_init(&text, SIZE_MAX);
    memory_need(buf_append(&text, line->data, at));
    memory_need(buf_append(&text, value.data, value.len));
    memory_need(buf_append(&text, line->data + at + old.len, line->len - at - old.len));
    buf_deinit(line);
    *line = text;
}

static void append_new(
    struct name_lines *lines, const struct log_change *change, struct slice after)
{
    struct buf *line;

    add_line(lines, change->name);
    line = &lines->items[lines->count - 1];
    memory_need(buf_append_str(line, ": "));
    memory_need(buf_append(line, after.data, after.len));
}

/* Of a value that the log hides its length is known. */
static bool is_old(const struct log_change *change, struct slice value)
{
    return change->hidden[0] ? value.data != NULL && value.len == change->numbers[0]
                             : json_edit_told(value, change->before);
}

/*
 * What a hidden value has become is taken from what came out, where something there is as long. One
 * that another change has changed again is not: any text of its length stands for it.
 */
static struct slice new_value(
    const struct log_change *change, const struct name_lines *is, struct buf *stars)
{
    if (!change->hidden[1])
        return change->after;
    for (size_t i = 0; i < is->count; i++) {
        struct slice value = value_of(&is->items[i], change->name);

        if (value.len == change->numbers[1])
            return value;
    }
    for (uint64_t i = 0; i < change->numbers[1] && i < STARS_MAX; i++)
        memory_need(buf_append_char(stars, '*'));
    return slice_of(stars->data != NULL ? stars->data : "", stars->len);
}

/* The first line with the value that was before; or all of them, where that was all their values.
 */
static bool find_old(
    const struct name_lines *lines, const struct log_change *change, size_t *at, bool *all)
{
    struct buf joined;

    for (*at = 0; *at < lines->count; ++*at) {
        *all = false;
        if (is_old(change, value_of(&lines->items[*at], change->name)))
            return true;
    }
    *at = 0;
    if (lines->items == NULL || lines->count == 0)
        return *all = false;
    *all = is_old(change, join_values(lines, change->name, &joined));
    buf_deinit(&joined);
    return *all;
}

static bool change_lines(
    struct name_lines *lines, const struct log_change *change, struct slice after)
{
    size_t at;
    bool all;

    if (change->before.data == NULL) {
        append_new(lines, change, after);
        return true;
    }
    if (!find_old(lines, change, &at, &all))
        return false;
    while (all && lines->count > 1)
        drop_line(lines, lines->count - 1);
    if (after.data == NULL)
        drop_line(lines, at);
    else
        set_value(&lines->items[at], change->name, after);
    return true;
}

static bool follow_field(
    struct name_lines *now, const struct log_change *change, const struct name_lines *is)
{
    struct buf stars;
    bool done;

    buf_init(&stars, STARS_MAX + 1);
    done = change_lines(now, change, new_value(change, is, &stars));
    buf_deinit(&stars);
    return done;
}

static bool same_lines(const struct name_lines *a, const struct name_lines *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!slice_equal(slice_of(a->items[i].data, a->items[i].len),
                slice_of(b->items[i].data, b->items[i].len)))
            return false;
    }
    return true;
}

static char *show(const struct name_lines *lines, struct slice name)
{
    struct buf joined;
    struct slice value = join_values(lines, name, &joined);
    char *shown =
        redaction_hides_field(name) ? redaction_words(value) : excerpt_text(value, SHOWN_MAX);

    buf_deinit(&joined);
    return shown;
}

/* The I-th change is of a field with this name. */
static bool is_of_field(const struct declared *declared, size_t i, bool response, struct slice name)
{
    const struct log_change *change = &declared->record->changes[i];

    return declared_is_of(declared, i, response) && change->kind == LOG_CHANGE_FIELD &&
           is_name(change->name, name);
}

/* All changes of one field, of which the FIRST is the first. */
static void follow_name(struct declared *declared, bool response, size_t first,
    const struct message_view *before, const struct message_view *after)
{
    struct slice name = declared->record->changes[first].name;
    struct name_lines was, is, now;
    size_t last = first;
    bool failed = false;

    find_lines(&was, before, name);
    find_lines(&now, before, name);
    find_lines(&is, after, name);
    for (size_t i = first; i < declared->record->n_changes; i++) {
        struct declared_change *change = &declared->changes[i];

        if (!is_of_field(declared, i, response, name))
            continue;
        change->followed = true;
        change->before = show(&was, name);
        change->after = show(&is, name);
        change->failed = !follow_field(&now, &declared->record->changes[i], &is);
        failed = failed || change->failed;
        last = i;
    }
    if (!failed && !same_lines(&now, &is))
        declared->changes[last].failed = true;
    lines_free(&was);
    lines_free(&now);
    lines_free(&is);
}

void declared_follow_fields(struct declared *declared, bool response,
    const struct declared_message *before, const struct declared_message *after)
{
    for (size_t i = 0; i < declared->record->n_changes; i++) {
        if (declared_is_of(declared, i, response) &&
            declared->record->changes[i].kind == LOG_CHANGE_FIELD && !declared->changes[i].followed)
            follow_name(declared, response, i, &before->view, &after->view);
    }
}
