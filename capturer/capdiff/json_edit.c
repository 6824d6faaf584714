#include "capturer/capdiff/json_edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"
#include "lib/json_text.h"

#define COUNT_DIGITS 24

/* What a pointer names: `value` is -1 where only its container is there. */
struct place {
    int container; /* -1: the pointer is "" */
    int value;
    struct slice key; /* the last reference token, decoded */
};

static char *as_log_string(struct slice text)
{
    struct buf out;

    buf_init(&out, 6 * text.len + 3);
    memory_need(json_string_encode(text, &out));
    memory_need(buf_append_char(&out, '\0'));
    return out.data;
}

bool json_edit_told(struct slice wire, struct slice told)
{
    char *a, *b;
    bool same;

    if (wire.data == NULL || told.data == NULL)
        return wire.data == NULL && told.data == NULL;
    if (slice_equal(wire, told))
        return true;
    a = as_log_string(wire);
    b = as_log_string(told);
    same = strcmp(a, b) == 0;
    free(a);
    free(b);
    return same;
}

/* Fills PLACE; KEY_ROOM is as long as the pointer. False: the container is not there. */
static bool resolve(
    const struct json_text *json, struct slice pointer, char *key_room, struct place *place)
{
    const char *slash = pointer.len > 0 ? memrchr(pointer.data, '/', pointer.len) : NULL;
    struct slice token, above;
    size_t len;

    *place = (struct place){-1, 0, {NULL, 0}};
    if (pointer.len == 0)
        return true;
    if (slash == NULL)
        return false;
    above = slice_of(pointer.data, (size_t)(slash - pointer.data));
    token = slice_of(slash + 1, pointer.len - above.len - 1);
    if (!json_reference_decode(token, key_room, &len))
        return false;
    place->key = slice_of(key_room, len);
    place->container = json_text_at(json, above);
    place->value = json_text_at(json, pointer);
    return json_text_type(json, place->container) == JSON_OBJECT ||
           json_text_type(json, place->container) == JSON_ARRAY;
}

static const char *end_of(const struct json_text *json, int value)
{
    struct slice raw = json_text_raw(json, value);

    return raw.data + raw.len;
}

/* Where a member's key or an element begins. */
static const char *start_of(const struct json_text *json, int value)
{
    struct slice key = json_text_key(json, value);

    return key.data != NULL ? key.data : json_text_raw(json, value).data;
}

/* Puts the parts into the place of what stands between FROM and TO. */
static void splice(struct slice text, const char *from, const char *to, const struct slice *parts,
    size_t count, struct buf *out)
{
    memory_need(buf_append(out, text.data, (size_t)(from - text.data)));
    for (size_t i = 0; i < count; i++)
        memory_need(buf_append(out, parts[i].data, parts[i].len));
    memory_need(buf_append(out, to, (size_t)(text.data + text.len - to)));
}

/* The child before one, or the last one with CHILD -1; -1: there is none. */
static int child_before(const struct json_text *json, int container, int child)
{
    int before = -1;

    for (int i = json_text_first(json, container); i >= 0 && i != child;
         i = json_text_next(json, i))
        before = i;
    return before;
}

/* Leaves out a child: up to the next one, or, where it is the last, from the end of the one before.
 */
static void cut(
    struct slice text, const struct json_text *json, int container, int child, struct buf *out)
{
    int next = json_text_next(json, child), last = child_before(json, container, child);
    const char *from = next < 0 && last >= 0 ? end_of(json, last) : start_of(json, child);
    const char *to = next >= 0 ? start_of(json, next) : end_of(json, child);

    splice(text, from, to, NULL, 0, out);
}

/* The first member of the place's key, or its element; -1: there is none. */
static int first_of(const struct json_text *json, const struct place *place)
{
    int i = json_text_first(json, place->container);

    if (json_text_type(json, place->container) == JSON_ARRAY)
        return place->value;
    while (i >= 0 && !json_string_is(json_text_key(json, i), place->key))
        i = json_text_next(json, i);
    return i;
}

/* Leaves out the other members of that key, too. */
static void cut_again(struct slice pointer, char *key_room, struct buf *out)
{
    for (;;) {
        struct slice text = slice_of(out->data, out->len);
        struct json_text *json = json_text_parse(text, NULL, NULL);
        struct buf less;
        struct place place;
        int child = -1;

        buf_init(&less, out->max);
        if (json != NULL && resolve(json, pointer, key_room, &place) &&
            json_text_type(json, place.container) == JSON_OBJECT)
            child = first_of(json, &place);
        if (child >= 0)
            cut(text, json, place.container, child, &less);
        json_text_free(json);
        if (child < 0)
            return;
        buf_deinit(out);
        *out = less;
    }
}

static bool take_out(struct slice text, const struct json_text *json, const struct place *place,
    struct slice before, struct buf *out)
{
    if (place->container < 0 || place->value < 0 ||
        !json_edit_told(json_text_raw(json, place->value), before))
        return false;
    cut(text, json, place->container, first_of(json, place), out);
    return true;
}

static struct slice space_before(const struct json_text *json, int child)
{
    const char *end = start_of(json, child), *from = end;

    while (from[-1] == ' ' || from[-1] == '\t' || from[-1] == '\n' || from[-1] == '\r')
        from--;
    return slice_of(from, (size_t)(end - from));
}

/* A member's colon, and the white space around it. */
static struct slice behind_key(const struct json_text *json, int member)
{
    struct slice key = json_text_key(json, member);
    const char *colon = key.data + key.len;

    return slice_of(colon, (size_t)(json_text_raw(json, member).data - colon));
}

/* Behind the LAST child, or as the only one. */
static void append(struct slice text, const struct json_text *json, const struct place *place,
    int last, struct slice after, struct buf *out)
{
    bool member = json_text_type(json, place->container) == JSON_OBJECT;
    const char *at =
        last >= 0 ? end_of(json, last) : json_text_raw(json, place->container).data + 1;
    char *key = member ? as_log_string(place->key) : NULL;
    struct slice parts[5] = {{NULL, 0}};

    if (last >= 0) {
        parts[0] = slice_str(",");
        parts[1] = space_before(json, last);
    }
    if (member) {
        parts[2] = slice_str(key);
        parts[3] = last >= 0 ? behind_key(json, last) : slice_str(":");
    }
    parts[4] = after;
    splice(text, at, at, parts, 5, out);
    free(key);
}

/* "-", or the index behind the last element. */
static bool names_the_end(const struct json_text *json, const struct place *place)
{
    char index[COUNT_DIGITS];
    size_t count = 0;

    for (int i = json_text_first(json, place->container); i >= 0; i = json_text_next(json, i))
        count++;
    snprintf(index, sizeof(index), "%zu", count);
    return slice_is(place->key, "-") || slice_is(place->key, index);
}

static bool add(struct slice text, const struct json_text *json, const struct place *place,
    struct slice after, struct buf *out)
{
    bool member = json_text_type(json, place->container) == JSON_OBJECT;
    int last = child_before(json, place->container, -1);
    const char *at;

    if (place->container < 0 || (member && place->value >= 0) ||
        (!member && place->value < 0 && !names_the_end(json, place)))
        return false;
    if (place->value < 0) {
        append(text, json, place, last, after, out);
        return true;
    }
    at = start_of(json, place->value);
    splice(text, at, at, (struct slice[]){after, slice_str(","), space_before(json, last)}, 3, out);
    return true;
}

static bool replace(struct slice text, const struct json_text *json, const struct place *place,
    struct slice before, struct slice after, struct buf *out)
{
    struct slice raw = json_text_raw(json, place->value);

    if (place->value < 0 || !json_edit_told(raw, before))
        return false;
    splice(text, raw.data, raw.data + raw.len, &after, 1, out);
    return true;
}

bool json_edit(struct slice text, struct slice pointer, struct slice before, struct slice after,
    struct buf *out)
{
    struct json_text *json = json_text_parse(text, NULL, NULL);
    char *key_room = memory_raw(pointer.len + 1);
    struct place place;
    bool done = json != NULL && resolve(json, pointer, key_room, &place);

    if (done && before.data == NULL)
        done = add(text, json, &place, after, out);
    else if (done && after.data == NULL)
        done = take_out(text, json, &place, before, out);
    else if (done)
        done = replace(text, json, &place, before, after, out);
    json_text_free(json);
    if (done && after.data == NULL)
        cut_again(pointer, key_room, out);
    free(key_room);
    return done;
}
