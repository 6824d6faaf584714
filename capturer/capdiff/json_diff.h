/*
 * Where two JSON texts differ: an RFC 6902 patch from one to the other, operation by operation, by
 * RFC 6901 pointers and in the exact text. Numbers are not converted, and "1.0" is not "1".
 *
 * The elements of arrays are aligned first (json_align.h), so that one more element is one "add".
 * Members are found by their decoded keys; where a key stands twice in an object, the k-th of them
 * is the k-th, and as RFC 6902 cannot name it, the patch replaces the object.
 *
 * Cost: n log n in the length of the texts, times their depth, plus JSON_ALIGN_CELLS_MAX.
 */
#ifndef CAPDIFF_JSON_DIFF_H
#define CAPDIFF_JSON_DIFF_H

#include <stddef.h>

#include "lib/buf.h"
#include "lib/json_text.h"
#include "lib/slice.h"

#define JSON_POINTER_MAX                                                                           \
    ((size_t)64 * 1024) /* bytes; what is longer is cut, and has no operation */

enum json_op {
    JSON_OP_NONE, /* the values are the same, or an operation before this one covers it too */
    JSON_OP_ADD,
    JSON_OP_REMOVE,
    JSON_OP_REPLACE,
};

enum json_what {
    JSON_WHAT_VALUE,
    JSON_WHAT_SPACING, /* white space, or how a key is spelt: the value is the same */
    JSON_WHAT_ORDER,   /* the order of members: the value is the same */
};

struct json_difference {
    enum json_what what;
    /* In the text before; what was added is named by what it stands in front of, or the end. */
    struct slice pointer;
    /* The values' exact texts, absent where there is none; of the whole container for spacing and
     * order. */
    struct slice before, after;
    /* All operations, in the order of the calls, make the one value of the other. */
    enum json_op op;
    struct slice path, value; /* of the operation */
    bool cut;                 /* the pointers are not whole */
    const char *note;         /* what a reader should know about this place; or NULL */
    bool shadowed;            /* a later member has the same key: most readers do not see it */
};

/* Everything is valid only during the call. */
typedef void (*json_diff_cb)(void *arg, const struct json_difference *difference);

/*
 * Documents that differ lead to at least one call. The white space around them is the caller's to
 * look at.
 */
void json_diff(const struct json_text *before, const struct json_text *after,
    json_diff_cb on_difference, void *arg);

/*
 * Appends the difference's operation to PATCH, such as {"op":"replace","path":"/a","value":1}, with
 * a comma before it where PATCH is not empty; nothing where it needs none. What utf8_is_unsafe
 * names is escaped, so that it is the same JSON. 0, or PATCH is as it was: UV_ENOBUFS where there
 * is no room in it, UV_EINVAL where the operation cannot be told exactly, for the pointer is cut,
 * or the value is no UTF-8.
 */
int json_patch_append(const struct json_difference *difference, struct buf *patch)
    __attribute__((warn_unused_result));

#endif
