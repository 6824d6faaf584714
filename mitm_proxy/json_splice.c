#include "mitm_proxy/json_splice.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/json_text.h"
#include "mitm_proxy/json_equal.h"

struct splice {
    struct slice text;            /* the document as the operations so far have left it, … */
    struct buf made;              /* … which stands here once one of them has changed it */
    struct buf next;              /* the one that is being made of it */
    const char *cursor;           /* in text: up to here it is in next, or left out */
    const struct json_text *json; /* of text, unless that is newer: the caller's, or `own` */
    struct json_text *own;
    bool newer;
    bool as_good;     /* … and no nearer to the limits of json_text than the one before */
    struct buf key;   /* the last reference token of the pointer that was resolved */
    struct buf moved; /* the value that move has taken out */
    const struct json_splice_watch *watch;
    struct json_splice_problem *problem;
};

/* What a pointer names: `value` is -1 where only the container is there. */
struct place {
    int container; /* -1: the pointer is "" */
    int value;
};

static bool fail(struct splice *splice, const char *word, const char *reason)
{
    splice->problem->word = word;
    splice->problem->reason = reason;
    return false;
}

static bool fail_memory(struct splice *splice)
{
    return fail(splice, "no_memory", "there is not enough memory");
}

static bool fail_path(struct splice *splice)
{
    return fail(splice, "path_not_found", "the path names nothing in the document");
}

static void tell(
    const struct splice *splice, struct slice pointer, struct slice old, struct slice new_text)
{
    if (splice->watch != NULL)
        splice->watch->on_change(splice->watch->arg, pointer, old, new_text);
}

static bool put(struct splice *splice, struct slice bytes)
{
    if (bytes.len > splice->next.max - splice->next.len)
        return fail(splice, "too_large", "the document would be larger than it may be");
    return buf_append(&splice->next, bytes.data, bytes.len) == 0 || fail_memory(splice);
}

/* Takes over what stands before END. */
static bool keep_to(struct splice *splice, const char *end)
{
    const char *from = splice->cursor;
    splice->cursor = end;
    return put(splice, slice_of(from, (size_t)(end - from)));
}

/* The document was read as JSON, or not: then WORD says what that means, and WHY. */
static bool take_json(
    struct splice *splice, const struct json_text *json, const char *word, const char *why)
{
    splice->json = json;
    splice->cursor = splice->text.data;
    splice->newer = false;
    if (json == NULL && why == JSON_TEXT_NO_MEMORY)
        return fail_memory(splice);
    return json != NULL || fail(splice, word, why);
}

/* What the operations so far have left is a document that others can read, too. */
static bool read_newer(struct splice *splice)
{
    const char *why = NULL;
    if (!splice->newer)
        return true;
    json_text_free(splice->own);
    splice->own = json_text_parse(splice->text, &why, NULL);
    return take_json(splice, splice->own, "bad_result", why);
}

/* Ends an operation: what is left is taken over, and what was made becomes the document. */
static bool turn_over(struct splice *splice, bool as_good)
{
    if (!keep_to(splice, splice->text.data + splice->text.len))
        return false;
    struct buf made = splice->next;
    splice->next = splice->made;
    splice->made = made;
    splice->text = slice_of(made.data, made.len);
    buf_clear(&splice->next);
    splice->newer = true;
    splice->as_good = as_good;
    return true;
}

static struct slice raw_of(const struct splice *splice, int value)
{
    return json_text_raw(splice->json, value);
}

static const char *end_of(const struct splice *splice, int value)
{
    struct slice raw = raw_of(splice, value);
    return raw.data + raw.len;
}

/* Where a member's key or an element begins. */
static const char *start_of(const struct splice *splice, int value)
{
    struct slice key = json_text_key(splice->json, value);
    return key.data != NULL ? key.data : raw_of(splice, value).data;
}

/* Fills PLACE and splice->key. False when the pointer is wrong or its container is not there. */
static bool resolve(struct splice *splice, struct slice pointer, struct place *place)
{
    if (!read_newer(splice))
        return false;
    *place = (struct place){-1, 0};
    buf_clear(&splice->key);
    if (pointer.len == 0)
        return true;
    const char *slash = memrchr(pointer.data, '/', pointer.len);
    if (slash == NULL)
        return fail_path(splice);
    struct slice reference = slice_of(slash + 1, (size_t)(pointer.data + pointer.len - slash - 1));
    if (buf_reserve(&splice->key, reference.len + 1) != 0)
        return fail_memory(splice);
    if (!json_reference_decode(reference, splice->key.data, &splice->key.len))
        return fail_path(splice);
    place->container =
        json_text_at(splice->json, slice_of(pointer.data, (size_t)(slash - pointer.data)));
    place->value = json_text_at(splice->json, pointer);
    enum json_type type = json_text_type(splice->json, place->container);
    return type == JSON_OBJECT || type == JSON_ARRAY || fail_path(splice);
}

static bool resolve_existing(struct splice *splice, struct slice pointer, struct place *place)
{
    return resolve(splice, pointer, place) && (place->value >= 0 || fail_path(splice));
}

/* The same where only the value is asked for. */
static bool find(struct splice *splice, struct slice pointer, int *value)
{
    if (!read_newer(splice))
        return false;
    *value = json_text_at(splice->json, pointer);
    return *value >= 0 || fail_path(splice);
}

/* The last child of a container and how many there are; -1: none. */
static int last_child(const struct splice *splice, int container, size_t *count)
{
    int last = -1;
    *count = 0;
    for (int i = json_text_first(splice->json, container); i >= 0;
         i = json_text_next(splice->json, i)) {
        last = i;
        ++*count;
    }
    return last;
}

/* The white space before a child; a bracket or comma stands before it. */
static struct slice space_before(const struct splice *splice, int child)
{
    const char *end = start_of(splice, child);
    const char *from = end;
    while (from[-1] == ' ' || from[-1] == '\t' || from[-1] == '\n' || from[-1] == '\r')
        from--;
    return slice_of(from, (size_t)(end - from));
}

static bool put_key(struct splice *splice)
{
    struct buf text;
    buf_init(&text, splice->key.len * 6 + 2); /* \u0000 is the longest that a byte becomes */
    int status = json_string_encode(slice_of(splice->key.data, splice->key.len), &text);
    bool good = status == 0 ? put(splice, slice_of(text.data, text.len)) : fail_memory(splice);
    buf_deinit(&text);
    return good;
}

/* The key that is to be added, and a colon with white space as LAST has it (-1: none). */
static bool put_key_and_colon(struct splice *splice, int last)
{
    if (last < 0)
        return put_key(splice) && put(splice, slice_str(":"));
    struct slice key = json_text_key(splice->json, last);
    const char *colon = key.data + key.len;
    return put_key(splice) &&
           put(splice, slice_of(colon, (size_t)(raw_of(splice, last).data - colon)));
}

static bool append_child(struct splice *splice, int container, int last, struct slice value)
{
    bool object = json_text_type(splice->json, container) == JSON_OBJECT;
    const char *at = last < 0 ? raw_of(splice, container).data + 1 : end_of(splice, last);
    bool good = keep_to(splice, at);
    if (good && last >= 0)
        good = put(splice, slice_str(",")) && put(splice, space_before(splice, last));
    if (good && object)
        good = put_key_and_colon(splice, last);
    return good && put(splice, value);
}

static bool insert_element(struct splice *splice, int before, int last, struct slice value)
{
    return keep_to(splice, start_of(splice, before)) && put(splice, value) &&
           put(splice, slice_str(",")) && put(splice, space_before(splice, last));
}

static bool replace_value(struct splice *splice, int value, struct slice text)
{
    if (!keep_to(splice, raw_of(splice, value).data))
        return false;
    splice->cursor = end_of(splice, value);
    return put(splice, text);
}

/* True when splice->key is the index behind the last of COUNT elements, or "-". */
static bool names_the_end(const struct splice *splice, size_t count)
{
    char index[24];
    struct slice key = slice_of(splice->key.data, splice->key.len);
    snprintf(index, sizeof index, "%zu", count);
    return slice_is(key, "-") || slice_is(key, index);
}

/* RFC 6902 §4.1 */
static bool do_add(struct splice *splice, struct slice path, struct slice value)
{
    struct place place;
    size_t count;
    bool good;
    if (!resolve(splice, path, &place))
        return false;
    bool array = json_text_type(splice->json, place.container) == JSON_ARRAY;
    int last = last_child(splice, place.container, &count);
    tell(splice, path, array ? slice_of(NULL, 0) : raw_of(splice, place.value), value);
    if (array && place.value >= 0)
        good = insert_element(splice, place.value, last, value);
    else if (place.value >= 0)
        good = replace_value(splice, place.value, value);
    else if (array && !names_the_end(splice, count))
        good = fail_path(splice);
    else
        good = append_child(splice, place.container, last, value);
    return good && turn_over(splice, false);
}

static bool is_scalar(struct slice value)
{
    return value.len > 0 && value.data[0] != '{' && value.data[0] != '[';
}

/* RFC 6902 §4.3 */
static bool do_replace(struct splice *splice, struct slice path, struct slice value)
{
    int old;
    if (!find(splice, path, &old))
        return false;
    tell(splice, path, raw_of(splice, old), value);
    return replace_value(splice, old, value) && turn_over(splice, is_scalar(value));
}

/* True for the value itself and for members of the same key. */
static bool goes_too(const struct splice *splice, int child, int value)
{
    struct slice key = json_text_key(splice->json, child);
    return child == value ||
           (key.data != NULL && json_string_is(key, slice_of(splice->key.data, splice->key.len)));
}

/* Leaves out runs of children: up to the next that stays, or from the end of the last that did. */
static bool leave_out(struct splice *splice, const struct place *place)
{
    const char *run = NULL;  /* where the children that go begin */
    const char *kept = NULL; /* the end of the last one that stays */
    const char *end = NULL;
    for (int i = json_text_first(splice->json, place->container); i >= 0;
         i = json_text_next(splice->json, i)) {
        end = end_of(splice, i);
        if (goes_too(splice, i, place->value)) {
            run = run != NULL ? run : start_of(splice, i);
            continue;
        }
        if (run != NULL) {
            if (!keep_to(splice, run))
                return false;
            splice->cursor = start_of(splice, i);
        }
        run = NULL;
        kept = end;
    }
    if (run == NULL)
        return true;
    if (!keep_to(splice, kept != NULL ? kept : run))
        return false;
    splice->cursor = end;
    return true;
}

/* RFC 6902 §4.2 */
static bool do_remove(struct splice *splice, struct slice path)
{
    struct place place;
    if (!resolve_existing(splice, path, &place))
        return false;
    if (place.container < 0)
        return fail(splice, "no_document", "the whole document cannot be removed");
    tell(splice, path, raw_of(splice, place.value), slice_of(NULL, 0));
    return leave_out(splice, &place) && turn_over(splice, false);
}

/* RFC 6902 §4.5; the copied text stays in place until the document is turned over. */
static bool do_copy(struct splice *splice, const struct json_op *op)
{
    int from;
    return find(splice, op->from, &from) && do_add(splice, op->path, raw_of(splice, from));
}

/* RFC 6902 §4.4 */
static bool do_move(struct splice *splice, const struct json_op *op)
{
    int from;
    if (json_pointer_is_inside(op->path, op->from))
        return fail(splice, "bad_move", "a value cannot be moved into a part of itself");
    if (!find(splice, op->from, &from))
        return false;
    if (slice_equal(op->path, op->from))
        return true;
    struct slice value = raw_of(splice, from);
    buf_clear(&splice->moved);
    if (buf_append(&splice->moved, value.data, value.len) != 0)
        return fail_memory(splice);
    return do_remove(splice, op->from) &&
           do_add(splice, op->path, slice_of(splice->moved.data, splice->moved.len));
}

/* RFC 6902 §4.6 */
static bool do_test(struct splice *splice, const struct json_op *op)
{
    int value;
    const char *why = NULL;
    if (!find(splice, op->path, &value))
        return false;
    struct json_text *wanted = json_text_parse(op->value, &why, NULL);
    if (wanted == NULL)
        return why == JSON_TEXT_NO_MEMORY ? fail_memory(splice) : fail(splice, "bad_value", why);
    enum json_equality result = json_equal(wanted, 0, splice->json, value);
    json_text_free(wanted);
    if (result == JSON_NO_MEMORY)
        return fail_memory(splice);
    return result == JSON_SAME ||
           fail(splice, "test_failed", "the document has another value than the test asks for");
}

static bool do_op(struct splice *splice, const struct json_op *op)
{
    switch (op->kind) {
    case JSON_OP_ADD:
        return do_add(splice, op->path, op->value);
    case JSON_OP_REMOVE:
        return do_remove(splice, op->path);
    case JSON_OP_REPLACE:
        return do_replace(splice, op->path, op->value);
    case JSON_OP_MOVE:
        return do_move(splice, op);
    case JSON_OP_COPY:
        return do_copy(splice, op);
    case JSON_OP_TEST:
        break;
    }
    return do_test(splice, op);
}

static bool begin(struct splice *splice, struct content *document)
{
    const char *why;
    splice->text = document->text;
    if (splice->text.len > splice->next.max)
        return fail(splice, "too_large", "the document is larger than it may be");
    const struct json_text *json = content_json(document, &why);
    return take_json(splice, json, "not_json", why);
}

static bool do_all(
    struct splice *splice, struct content *document, const struct json_op *ops, size_t count)
{
    if (!begin(splice, document))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!read_newer(splice))
            return false;
        splice->problem->op = i;
        if (!do_op(splice, &ops[i]))
            return false;
    }
    return splice->as_good || read_newer(splice);
}

/* What was made is the result: taken over where OUT has nothing of its own. */
static bool give(struct splice *splice, struct buf *out)
{
    if (out->size > 0 || splice->made.len == 0)
        return buf_append(out, splice->text.data, splice->text.len) == 0 || fail_memory(splice);
    *out = splice->made;
    buf_init(&splice->made, 0);
    return true;
}

bool json_splice(struct content *document, const struct json_op *ops, size_t count, struct buf *out,
    const struct json_splice_watch *watch, struct json_splice_problem *problem)
{
    struct splice splice = {.watch = watch, .problem = problem};
    size_t max = out->max - out->len;
    *problem = (struct json_splice_problem){NULL, NULL, 0};
    buf_init(&splice.made, max);
    buf_init(&splice.next, max);
    buf_init(&splice.moved, max);
    buf_init(&splice.key, SIZE_MAX);
    bool good = do_all(&splice, document, ops, count) && give(&splice, out);
    json_text_free(splice.own);
    buf_deinit(&splice.made);
    buf_deinit(&splice.next);
    buf_deinit(&splice.moved);
    buf_deinit(&splice.key);
    return good;
}

bool json_pointer_is_inside(struct slice path, struct slice from)
{
    return path.len > from.len && path.data[from.len] == '/' &&
           slice_equal(slice_of(path.data, from.len), from);
}
