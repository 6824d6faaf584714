#include "capturer/capdiff/json_diff.h"

#include <stdint.h>

#include "capturer/capdiff/json_align.h"
#include "capturer/capdiff/json_members.h"
#include "capturer/capdiff/memory.h"

#define NOTE_REPEATED "this key stands more than once: two readers may read different values"
#define NOTE_VARIANT "a key beside it differs in letter case only: two readers may mix them up"
#define NOTE_PLACE "the arrays are too big to be aligned: their elements are taken by their place"
#define NOTE_LONG "the pointer is cut, for it is too long"

struct walk {
    const struct json_text *before, *after;
    struct buf pointer; /* in the text before */
    struct buf path;    /* of the patch: in what the operations so far have made of it */
    size_t cells;       /* what is left for aligning arrays */
    size_t told;
    bool cut; /* the pointer is not all there */
    const char *note;
    bool shadowed;
    /* Where RFC 6902 cannot name the members: the value that is replaced instead, once. */
    bool covered, cover_told;
    size_t cover_path;
    struct slice cover;
    json_diff_cb on_difference;
    void *arg;
};

/* Where a walk stands, to come back to. */
struct standpoint {
    size_t pointer, path;
    bool cut, shadowed;
    const char *note;
};

static void walk_values(struct walk *walk, int a, int b);

static void report(struct walk *walk, enum json_what what, enum json_op op, struct slice before,
    struct slice after)
{
    struct json_difference difference = {.what = what,
        .pointer =
            slice_of(walk->pointer.data != NULL ? walk->pointer.data : "", walk->pointer.len),
        .before = before,
        .after = after,
        .op = op,
        .path = slice_of(walk->path.data != NULL ? walk->path.data : "", walk->path.len),
        .value = after,
        .note = walk->cut ? NOTE_LONG : walk->note,
        .cut = walk->cut,
        .shadowed = walk->shadowed};

    if (walk->covered && op != JSON_OP_NONE) {
        difference.op = walk->cover_told ? JSON_OP_NONE : JSON_OP_REPLACE;
        difference.path.len = walk->cover_path;
        difference.value = walk->cover;
        walk->cover_told = true;
    }
    walk->told++;
    walk->on_difference(walk->arg, &difference);
}

static struct standpoint stand(const struct walk *walk)
{
    return (struct standpoint){
        walk->pointer.len, walk->path.len, walk->cut, walk->shadowed, walk->note};
}

static void go_back(struct walk *walk, const struct standpoint *standpoint)
{
    walk->pointer.len = standpoint->pointer;
    walk->path.len = standpoint->path;
    walk->cut = standpoint->cut;
    walk->shadowed = standpoint->shadowed;
    walk->note = standpoint->note;
}

/* Appends "/" and the key, with "~" and "/" escaped (RFC 6901 §3); false: there is no room. */
static bool append_key(struct buf *pointer, struct slice key)
{
    if (pointer->max - pointer->len < 2 * key.len + 1)
        return false;
    memory_need(buf_append_char(pointer, '/'));
    for (size_t i = 0; i < key.len; i++) {
        char c = key.data[i];

        if (c == '~' || c == '/')
            memory_need(buf_append_str(pointer, c == '~' ? "~0" : "~1"));
        else
            memory_need(buf_append_char(pointer, c));
    }
    return true;
}

static void step_key(
    struct walk *walk, const struct json_member *member, bool repeated, bool variant)
{
    walk->cut = walk->cut || !append_key(&walk->pointer, member->key) ||
                !append_key(&walk->path, member->key);
    walk->shadowed = walk->shadowed || member->shadowed;
    if (repeated)
        walk->note = NOTE_REPEATED;
    else if (variant && walk->note == NULL)
        walk->note = NOTE_VARIANT;
}

static void step_index(struct walk *walk, size_t in_before, size_t in_patch)
{
    if (walk->cut || walk->pointer.max - walk->pointer.len < 32 ||
        walk->path.max - walk->path.len < 32) {
        walk->cut = true;
        return;
    }
    memory_need(buf_printf(&walk->pointer, "/%zu", in_before));
    memory_need(buf_printf(&walk->path, "/%zu", in_patch));
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

/* Two containers, and the last of each's children that was looked at; -1: none yet. */
struct frame {
    int a, b;
    int last_a, last_b;
    bool joined; /* those two are counterparts, or both are the beginning */
    bool same;   /* the text between neighbours that are neighbours on both sides */
};

/* The next child of each, -1 for a child of the other side only; both -1: the end. */
static void frame_step(struct frame *frame, const struct walk *walk, int x, int y)
{
    bool end = x < 0 && y < 0, both = x >= 0 && y >= 0;

    if ((both || end) && frame->joined)
        frame->same = frame->same && slice_equal(glue(walk->before, frame->a, frame->last_a, x),
                                         glue(walk->after, frame->b, frame->last_b, y));
    frame->joined = both;
    frame->last_a = x >= 0 ? x : frame->last_a;
    frame->last_b = y >= 0 ? y : frame->last_b;
}

/* What the children do not show. There is something to tell: the two texts are not the same. */
static void report_layout(
    struct walk *walk, const struct frame *frame, bool ordered, size_t told_before)
{
    if (ordered && frame->same && walk->told > told_before)
        return;
    report(walk, ordered ? JSON_WHAT_SPACING : JSON_WHAT_ORDER, JSON_OP_NONE,
        json_text_raw(walk->before, frame->a), json_text_raw(walk->after, frame->b));
}

static void walk_elements(struct walk *walk, int a, int b)
{
    struct frame frame = {a, b, -1, -1, true, true};
    struct json_elements x, y;
    struct standpoint here = stand(walk);
    size_t told = walk->told, i = 0, j = 0;

    json_elements_init(&x, walk->before, a);
    json_elements_init(&y, walk->after, b);
    if (!json_align(&x, &y, &walk->cells))
        walk->note = NOTE_PLACE;
    while (i < x.count || j < y.count) {
        bool gone = i < x.count && x.items[i].match == JSON_NO_ELEMENT;
        bool came = !gone && j < y.count && y.items[j].match == JSON_NO_ELEMENT;
        int left = came ? -1 : x.items[i].value, right = gone ? -1 : y.items[j].value;
        const char *note = walk->note;

        frame_step(&frame, walk, left, right);
        step_index(walk, i, j); /* all before the j-th are as they are to be */
        if (gone)
            report(walk, JSON_WHAT_VALUE, JSON_OP_REMOVE, x.items[i].text, slice_of(NULL, 0));
        else if (came)
            report(walk, JSON_WHAT_VALUE, JSON_OP_ADD, slice_of(NULL, 0), y.items[j].text);
        else
            walk_values(walk, left, right);
        i += !came;
        j += !gone;
        go_back(walk, &here);
        walk->note = note;
    }
    frame_step(&frame, walk, -1, -1);
    json_elements_deinit(&x);
    json_elements_deinit(&y);
    report_layout(walk, &frame, true, told);
    go_back(walk, &here);
}

static void walk_member(struct walk *walk, const struct json_member *x, const struct json_member *y)
{
    const struct json_member *known = x != NULL ? x : y;
    struct standpoint here = stand(walk);
    struct slice none = slice_of(NULL, 0);

    step_key(walk, known, (x != NULL && x->repeated) || (y != NULL && y->repeated),
        (x != NULL && x->variant) || (y != NULL && y->variant));
    if (x == NULL)
        report(walk, JSON_WHAT_VALUE, JSON_OP_ADD, none, json_text_raw(walk->after, y->value));
    else if (y == NULL)
        report(walk, JSON_WHAT_VALUE, JSON_OP_REMOVE, json_text_raw(walk->before, x->value), none);
    else
        walk_values(walk, x->value, y->value);
    go_back(walk, &here);
}

/* The text between members; true if those on both sides are in the same order. */
static bool compare_frames(struct walk *walk, const struct json_members *x,
    const struct json_members *y, struct frame *frame)
{
    size_t next = 0;

    for (size_t i = 0; i < x->count; i++) {
        size_t match = x->items[i].match;

        if (match == JSON_NO_MEMBER) {
            frame_step(frame, walk, x->items[i].value, -1);
            continue;
        }
        if (match < next)
            return false;
        for (; next < match; next++)
            frame_step(frame, walk, -1, y->items[next].value);
        frame_step(frame, walk, x->items[i].value, y->items[next++].value);
    }
    for (; next < y->count; next++)
        frame_step(frame, walk, -1, y->items[next].value);
    frame_step(frame, walk, -1, -1);
    return true;
}

static void walk_members(struct walk *walk, int a, int b)
{
    struct frame frame = {a, b, -1, -1, true, true};
    struct json_members x, y;
    size_t told = walk->told;
    bool covers, ordered;

    json_members_init(&x, walk->before, a);
    json_members_init(&y, walk->after, b);
    json_members_match(&x, &y);
    covers = !walk->covered && (x.repeated || y.repeated);
    if (covers) {
        walk->covered = true;
        walk->cover_told = false;
        walk->cover_path = walk->path.len;
        walk->cover = json_text_raw(walk->after, b);
    }
    for (size_t i = 0; i < x.count; i++) {
        size_t match = x.items[i].match;

        walk_member(walk, &x.items[i], match != JSON_NO_MEMBER ? &y.items[match] : NULL);
    }
    for (size_t j = 0; j < y.count; j++) {
        if (y.items[j].match == JSON_NO_MEMBER)
            walk_member(walk, NULL, &y.items[j]);
    }
    walk->covered = walk->covered && !covers;
    ordered = compare_frames(walk, &x, &y, &frame);
    json_members_deinit(&x);
    json_members_deinit(&y);
    report_layout(walk, &frame, ordered, told);
}

static void walk_values(struct walk *walk, int a, int b)
{
    struct slice before = json_text_raw(walk->before, a), after = json_text_raw(walk->after, b);
    enum json_type type = json_text_type(walk->before, a);

    if (slice_equal(before, after))
        return;
    if (type != json_text_type(walk->after, b) || (type != JSON_OBJECT && type != JSON_ARRAY))
        report(walk, JSON_WHAT_VALUE, JSON_OP_REPLACE, before, after);
    else if (type == JSON_OBJECT)
        walk_members(walk, a, b);
    else
        walk_elements(walk, a, b);
}

void json_diff(const struct json_text *before, const struct json_text *after,
    json_diff_cb on_difference, void *arg)
{
    struct walk walk = {.before = before,
        .after = after,
        .cells = JSON_ALIGN_CELLS_MAX,
        .on_difference = on_difference,
        .arg = arg};

    buf_init(&walk.pointer, JSON_POINTER_MAX);
    buf_init(&walk.path, JSON_POINTER_MAX);
    walk_values(&walk, 0, 0);
    buf_deinit(&walk.pointer);
    buf_deinit(&walk.path);
}
