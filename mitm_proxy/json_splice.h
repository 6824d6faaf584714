/*
 * A JSON Patch (RFC 6902) done to JSON text as splices: no byte changes but those of the value that
 * an operation names, or of the member or element with its comma. No I/O.
 *
 * - Values go in as the very text they have in the patch; nothing is parsed and printed again.
 * - A pointer (RFC 6901) names the last of several members with the same key, as most parsers read
 *   them; the RFCs leave it open. add and replace change that one and leave the earlier ones, which
 *   a reader that takes the first does not see changed. remove, and move at the place it takes
 * from, remove all of them: what was removed is gone for every reader.
 * - What is added takes on the white space that stands before the last sibling and around its
 * colon.
 * - remove takes a member or element up to the next one, or, where it is the last, from the end of
 *   the one before.
 * - test compares as json_equal does.
 */
#ifndef MITM_PROXY_JSON_SPLICE_H
#define MITM_PROXY_JSON_SPLICE_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/slice.h"
#include "mitm_proxy/content.h"

enum json_op_kind {
    JSON_OP_ADD,
    JSON_OP_REMOVE, /* not of the whole document */
    JSON_OP_REPLACE,
    JSON_OP_MOVE,
    JSON_OP_COPY,
    JSON_OP_TEST,
};

struct json_op {
    enum json_op_kind kind;
    struct slice path;  /* an RFC 6901 pointer; may have NUL bytes in it */
    struct slice from;  /* move, copy */
    struct slice value; /* add, replace, test: the text of one good JSON value */
};

/*
 * Why a patch was not done. The word is one of not_json, path_not_found, test_failed, bad_move
 * (into a part of itself), bad_value, no_document (the whole of it would be removed), bad_result
 * (nested too deeply or too many values), too_large, no_memory.
 */
struct json_splice_problem {
    const char *word;
    const char *reason; /* a sentence for people, without the full stop */
    size_t op;          /* index of the operation; 0 with not_json */
};

/*
 * Hears of each change as it is done: its pointer as the patch has it, the old text and the new
 * one, absent where there is none. What it heard of a patch that fails later did not happen. move
 * is a removal and an addition. The slices are valid during the call.
 */
struct json_splice_watch {
    void (*on_change)(void *arg, struct slice pointer, struct slice old, struct slice new_text);
    void *arg;
};

/*
 * Does all COUNT operations to DOCUMENT and appends the result to OUT, within its maximum; WATCH
 * may be NULL. False with *PROBLEM when one of them cannot be done: OUT is unchanged then.
 */
bool json_splice(struct content *document, const struct json_op *ops, size_t count, struct buf *out,
    const struct json_splice_watch *watch, struct json_splice_problem *problem)
    __attribute__((warn_unused_result));

/* True when FROM names a container that PATH lies in: nothing can be moved into itself. */
bool json_pointer_is_inside(struct slice path, struct slice from);

#endif
