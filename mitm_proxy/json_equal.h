/*
 * Whether two JSON values mean the same (RFC 6902 §4.6).
 *
 * Numbers are equal by their exact decimal value: 1, 1.0 and 10e-1 are, 9007199254740993 and
 * 9007199254740992 are not, and -0 is 0. Exponents of more than 15 digits are compared as text.
 * Strings are compared decoded, members in any order; of members with the same key the last one
 * counts, as in json_text.
 */
#ifndef MITM_PROXY_JSON_EQUAL_H
#define MITM_PROXY_JSON_EQUAL_H

#include <stdbool.h>

#include "lib/json_text.h"

enum json_equality {
    JSON_DIFFERENT,
    JSON_SAME,
    JSON_NO_MEMORY, /* to compare them */
};

/*
 * Compares value A of WANTED with value B of GIVEN. Takes time by the product of their members, so
 * that WANTED should be our own and small.
 */
enum json_equality json_equal(
    const struct json_text *wanted, int a, const struct json_text *given, int b);

/* The same for the exact texts of two numbers. */
bool json_number_equal(struct slice a, struct slice b);

#endif
