#include "lib/json_strict.h"

#include <stdlib.h>

#include "lib/utf8.h"

struct keys {
    struct buf text; /* all keys of an object, decoded and folded, one after the other */
    size_t *ends;    /* where each ends */
    struct slice *sorted;
    size_t count, size;
};

static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = utf8_length(text);
        if (len == 0)
            return false;
        text = slice_of(text.data + len, text.len - len);
    }
    return true;
}

/* Folds what was appended from AT on, in place: no character grows. */
static void fold(struct buf *text, size_t at)
{
    size_t to = at;
    while (at < text->len) {
        struct slice rest = slice_of(text->data + at, text->len - at);
        char c = rest.data[0];
        size_t taken = 1;
        if (rest.len >= 2 && memcmp(rest.data, "\xc5\xbf", 2) == 0) {
            c = 's';
            taken = 2;
        } else if (rest.len >= 3 && memcmp(rest.data, "\xe2\x84\xaa", 3) == 0) {
            c = 'k';
            taken = 3;
        } else if (c >= 'A' && c <= 'Z') {
            c = (char)(c - 'A' + 'a');
        }
        text->data[to++] = c;
        at += taken;
    }
    text->len = to;
}

static bool keys_reserve(struct keys *keys)
{
    if (keys->count < keys->size)
        return true;
    size_t size = keys->size > 0 ? keys->size * 2 : 16;
    size_t *ends = realloc(keys->ends, size * sizeof *ends);
    if (ends != NULL)
        keys->ends = ends;
    struct slice *sorted = realloc(keys->sorted, size * sizeof *sorted);
    if (sorted != NULL)
        keys->sorted = sorted;
    if (ends == NULL || sorted == NULL)
        return false;
    keys->size = size;
    return true;
}

static bool keys_collect(struct keys *keys, const struct json_text *json, int object)
{
    buf_clear(&keys->text);
    keys->count = 0;
    for (int i = json_text_first(json, object); i >= 0; i = json_text_next(json, i)) {
        size_t at = keys->text.len;
        if (!keys_reserve(keys) || json_string_decode(json_text_key(json, i), &keys->text) != 0)
            return false;
        fold(&keys->text, at);
        keys->ends[keys->count++] = keys->text.len;
    }
    return true;
}

static int compare_keys(const void *a, const void *b)
{
    const struct slice *x = a;
    const struct slice *y = b;
    size_t len = x->len < y->len ? x->len : y->len;
    int order = len > 0 ? memcmp(x->data, y->data, len) : 0;
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static bool keys_are_unique(struct keys *keys)
{
    size_t at = 0;
    for (size_t i = 0; i < keys->count; i++) {
        /* No key but "" was decoded where the buffer has no memory yet. */
        const char *data = keys->text.data != NULL ? keys->text.data + at : "";
        keys->sorted[i] = slice_of(data, keys->ends[i] - at);
        at = keys->ends[i];
    }
    if (keys->count > 1)
        qsort(keys->sorted, keys->count, sizeof keys->sorted[0], compare_keys);
    for (size_t i = 1; i < keys->count; i++) {
        if (slice_equal(keys->sorted[i - 1], keys->sorted[i]))
            return false;
    }
    return true;
}

static const char *check_object(struct keys *keys, const struct json_text *json, int object)
{
    if (json_text_type(json, object) != JSON_OBJECT)
        return NULL;
    if (!keys_collect(keys, json, object))
        return JSON_TEXT_NO_MEMORY;
    return keys_are_unique(keys)
               ? NULL
               : "an object has a key twice, or twice but for upper and lower case";
}

/* Every value, each before what is in it. */
static const char *check_values(struct keys *keys, const struct json_text *json)
{
    int above[JSON_TEXT_DEPTH_MAX];
    int depth = 0;
    int value = 0;
    for (;;) {
        const char *problem = check_object(keys, json, value);
        if (problem != NULL)
            return problem;
        int next = json_text_first(json, value);
        if (next >= 0 && depth < JSON_TEXT_DEPTH_MAX) {
            above[depth++] = value;
            value = next;
            continue;
        }
        while ((next = json_text_next(json, value)) < 0) {
            if (depth == 0)
                return NULL;
            value = above[--depth];
        }
        value = next;
    }
}

const char *json_strict_problem(const struct json_text *json, struct slice text)
{
    struct keys keys = {0};
    if (!is_utf8(text))
        return "a byte in it is no UTF-8";
    buf_init(&keys.text, text.len + 1);
    const char *problem = check_values(&keys, json);
    buf_deinit(&keys.text);
    free(keys.ends);
    free(keys.sorted);
    return problem;
}
