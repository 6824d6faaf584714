/*
 * The grammar of RFC 8259, checked in one pass without recursion. Part of json_text.
 */
#ifndef LIB_JSON_CHECK_H
#define LIB_JSON_CHECK_H

#include <stdbool.h>

#include "lib/json_text.h"

struct json_check {
    const char *why; /* a fixed sentence when the check failed */
    size_t at;       /* byte offset where it did */
    size_t tokens;   /* values and keys */
};

/* True when TEXT is one document within the limits of json_text.h; fills *RESULT either way. */
bool json_check(struct slice text, struct json_check *result);

#endif
