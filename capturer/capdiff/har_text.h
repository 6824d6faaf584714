/*
 * The pieces of a HAR file: JSON strings from bytes that may be anything, heads taken apart.
 */
#ifndef CAPDIFF_HAR_TEXT_H
#define CAPDIFF_HAR_TEXT_H

#include <stdio.h>

#include "lib/slice.h"

/* A JSON string; bytes that are no UTF-8 become U+FFFD. */
void har_string(FILE *file, struct slice text);

/* One JSON string of COUNT pieces. */
void har_strings(FILE *file, const struct slice *pieces, size_t count);

/* "text":…, and after it the member ENCODING with "base64" where the bytes are no UTF-8. */
void har_body(FILE *file, struct slice body, const char *encoding);

/* The three words of a start line; empty where there are fewer. The third has all that is left. */
struct har_line {
    struct slice words[3];
};
struct har_line har_first_line(struct slice head);

/* The head of the final response, without the interim ones before it. */
struct slice har_last_head(struct slice heads);

/* Arrays of {"name":…,"value":…}: the fields of a head, and the parameters of a target, as sent. */
void har_fields(FILE *file, struct slice head);
void har_query(FILE *file, struct slice target);

/* "1.2.3.4" of "1.2.3.4:80", "::1" of "[::1]:80". */
struct slice har_address(struct slice endpoint);

#endif
