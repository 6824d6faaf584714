/*
 * One change of a value, done to JSON text again, as the exchange log declares it: what must have
 * come out, to the byte.
 *
 * Only the value changes, or its member or element with a comma. What is added stands last in its
 * object, or at its index, with the white space that stands before the last sibling and around its
 * colon. What is removed goes up to the next one, or, where it is the last, from the end of the one
 * before. A pointer (RFC 6901) names the last of several members with the same key; with it all of
 * them are removed.
 */
#ifndef CAPDIFF_JSON_EDIT_H
#define CAPDIFF_JSON_EDIT_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/slice.h"

/*
 * Puts into OUT, which is empty, what TEXT is once BEFORE, which the pointer names, is AFTER;
 * absent: there is none there. False: TEXT is no JSON, or has something else there; OUT is empty
 * then.
 */
bool json_edit(struct slice text, struct slice pointer, struct slice before, struct slice after,
    struct buf *out);

/* A text of the log tells bytes of the wire: of those that are no UTF-8 it knows only where. */
bool json_edit_told(struct slice wire, struct slice told);

#endif
