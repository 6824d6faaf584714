/*
 * Finds what two JSON parsers may read differently although the text is good JSON (RFC 8259 §4,
 * §8.1): a key that stands twice in an object, keys that differ only in the case of their letters,
 * and bytes that are no UTF-8.
 *
 * Case is that of ASCII, with U+017F and U+212A, which fold to s and k: parsers that ignore case
 * take those for the letters.
 */
#ifndef LIB_JSON_STRICT_H
#define LIB_JSON_STRICT_H

#include "lib/json_text.h"

/* NULL when TEXT, parsed as JSON, can be read in one way only; otherwise why not, a fixed clause.
 */
const char *json_strict_problem(const struct json_text *json, struct slice text);

#endif
