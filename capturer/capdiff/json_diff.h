/*
 * Where two JSON texts differ, by RFC 6901 pointer, in the exact text: numbers are not converted,
 * and "1.0" is not "1".
 */
#ifndef CAPDIFF_JSON_DIFF_H
#define CAPDIFF_JSON_DIFF_H

#include <stddef.h>

#include "lib/json_text.h"
#include "lib/slice.h"

/*
 * Called for each place. The texts are the values' exact ones, absent where there is no such
 * member; for a place between values (white space, the order of members) they are the whole
 * container's. All are valid only during the call.
 */
typedef void (*json_diff_cb)(
    void *arg, const char *pointer, struct slice before, struct slice after);

/*
 * Documents that differ lead to at least one call. The white space around them is the caller's to
 * look at.
 */
void json_diff(const struct json_text *before, const struct json_text *after,
    json_diff_cb on_difference, void *arg);

#endif
