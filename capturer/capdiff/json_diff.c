#include "capturer/capdiff/json_diff.h"

#include <stdint.h>

#include "capturer/capdiff/memory.h"

#define POINTER_MAX ((size_t)64 * 1024)
#define MEMBERS_MAX 1000 /* members of an object that are looked up by key */

struct walk {
    const struct json_text *before, *after;
    struct buf pointer;
    json_diff_cb on_difference;
    void *arg;
};

static void walk_values(struct walk *walk, int a, int b);

static void report(struct walk *walk, struct slice before, struct slice after)
{
    size_t len = walk->pointer.len;

    memory_need(buf_append_char(&walk->pointer, '\0'));
    walk->on_difference(walk->arg, walk->pointer.data, before, after);
    walk->pointer.len = len;
}

/* Appends one step: "/" and the decoded key, with "~" and "/" escaped; or the index. */
static void step(struct walk *walk, struct slice key, size_t index)
{
    struct buf text;

    memory_need(buf_append_char(&walk->pointer, '/'));
    if (key.data == NULL) {
        memory_need(buf_printf(&walk->pointer, "%zu", index));
        return;
    }
    buf_init(&text, POINTER_MAX);
    if (json_string_decode(key, &text) != 0)
        memory_need(buf_append(&text, key.data, key.len < POINTER_MAX ? key.len : POINTER_MAX));
    for (size_t i = 0; i < text.len && walk->pointer.len < POINTER_MAX; i++) {
        char c = text.data[i];

        if (c == '~' || c == '/')
            memory_need(buf_append_str(&walk->pointer, c == '~' ? "~0" : "~1"));
        else
            memory_need(buf_append(&walk->pointer, c == '\0' ? "?" : &c, 1));
    }
    buf_deinit(&text);
}

/* The text between the end of the last value (or the container's start) and this one. */
static struct slice glue(const struct json_text *json, int container, int last, int value)
{
    struct slice whole = json_text_raw(json, container);
    const char *start = whole.data, *end = whole.data + whole.len;

    if (last >= 0)
        start = json_text_raw(json, last).data + json_text_raw(json, last).len;
    if (value >= 0)
        end = json_text_raw(json, value).data;
    return slice_of(start, (size_t)(end - start));
}

static size_t count_children(const struct json_text *json, int container)
{
    size_t count = 0;

    for (int i = json_text_first(json, container); i >= 0; i = json_text_next(json, i))
        count++;
    return count;
}

/* Same number of children, and between them the same text, keys included. */
static bool same_frame(const struct walk *walk, int a, int b)
{
    int x = json_text_first(walk->before, a), y = json_text_first(walk->after, b);
    int last_x = -1, last_y = -1;

    while (x >= 0 && y >= 0) {
        if (!slice_equal(glue(walk->before, a, last_x, x), glue(walk->after, b, last_y, y)))
            return false;
        last_x = x;
        last_y = y;
        x = json_text_next(walk->before, x);
        y = json_text_next(walk->after, y);
    }
    return x < 0 && y < 0 &&
           slice_equal(glue(walk->before, a, last_x, -1), glue(walk->after, b, last_y, -1));
}

static void walk_children(struct walk *walk, int a, int b)
{
    int x = json_text_first(walk->before, a), y = json_text_first(walk->after, b);

    for (size_t i = 0; x >= 0 && y >= 0; i++) {
        size_t len = walk->pointer.len;

        step(walk, json_text_key(walk->before, x), i);
        walk_values(walk, x, y);
        walk->pointer.len = len;
        x = json_text_next(walk->before, x);
        y = json_text_next(walk->after, y);
    }
}

static int find_key(const struct json_text *json, int object, struct slice key)
{
    int i = json_text_first(json, object);

    while (i >= 0 && !slice_equal(json_text_key(json, i), key))
        i = json_text_next(json, i);
    return i;
}

/* Members of FROM that IN lacks are reported; returns how many. */
static size_t report_lone(struct walk *walk, const struct json_text *from, int object,
    const struct json_text *in, int other)
{
    size_t lone = 0;

    for (int i = json_text_first(from, object); i >= 0; i = json_text_next(from, i)) {
        struct slice key = json_text_key(from, i), none = slice_of(NULL, 0);
        size_t len = walk->pointer.len;

        if (find_key(in, other, key) >= 0)
            continue;
        lone++;
        step(walk, key, 0);
        if (from == walk->before)
            report(walk, json_text_raw(from, i), none);
        else
            report(walk, none, json_text_raw(from, i));
        walk->pointer.len = len;
    }
    return lone;
}

/* Objects with other members: each that came or went, and each that changed; true if in order. */
static bool walk_members(struct walk *walk, int a, int b)
{
    size_t lone = report_lone(walk, walk->before, a, walk->after, b) +
                  report_lone(walk, walk->after, b, walk->before, a);
    int last = -1;
    bool ordered = true;

    for (int x = json_text_first(walk->before, a); x >= 0; x = json_text_next(walk->before, x)) {
        struct slice key = json_text_key(walk->before, x);
        int y = find_key(walk->after, b, key);
        size_t len = walk->pointer.len;

        if (y < 0)
            continue;
        ordered = ordered && y > last;
        last = y;
        step(walk, key, 0);
        walk_values(walk, x, y);
        walk->pointer.len = len;
    }
    return ordered && lone > 0;
}

static bool few_members(const struct walk *walk, int a, int b)
{
    return count_children(walk->before, a) <= MEMBERS_MAX &&
           count_children(walk->after, b) <= MEMBERS_MAX;
}

static void walk_values(struct walk *walk, int a, int b)
{
    struct slice before = json_text_raw(walk->before, a), after = json_text_raw(walk->after, b);
    enum json_type type = json_text_type(walk->before, a);

    if (slice_equal(before, after))
        return;
    if (type == json_text_type(walk->after, b) && (type == JSON_OBJECT || type == JSON_ARRAY)) {
        if (same_frame(walk, a, b)) {
            walk_children(walk, a, b);
            return;
        }
        if (type == JSON_OBJECT && few_members(walk, a, b) && walk_members(walk, a, b))
            return;
    }
    report(walk, before, after);
}

void json_diff(const struct json_text *before, const struct json_text *after,
    json_diff_cb on_difference, void *arg)
{
    struct walk walk = {before, after, {0}, on_difference, arg};

    buf_init(&walk.pointer, (size_t)JSON_TEXT_DEPTH_MAX * (POINTER_MAX + 16));
    walk_values(&walk, 0, 0);
    buf_deinit(&walk.pointer);
}
