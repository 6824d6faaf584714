/*
 * Structured field values for HTTP (RFC 9651): dictionaries, inner lists, items and parameters.
 *
 * Reads in place and allocates nothing: spans point into the text that was given. Display strings
 * are not known and count as bad.
 */
#ifndef LIB_STRUCTURED_FIELDS_H
#define LIB_STRUCTURED_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/slice.h"

enum sf_type {
    SF_INTEGER,
    SF_DECIMAL,
    SF_STRING,
    SF_TOKEN,
    SF_BYTES,
    SF_BOOLEAN,
    SF_DATE,
    SF_INNER_LIST,
};

struct sf_value {
    enum sf_type type;
    struct slice text;   /* what stands between the quotes, colons or parentheses, or all of it */
    int64_t integer;     /* SF_INTEGER, SF_DATE; SF_BOOLEAN: 0 or 1 */
    struct slice params; /* each with its semicolon; empty: none */
};

struct sf_member {
    struct slice key;
    struct sf_value value; /* a key alone is the boolean 1 (RFC 9651 §3.1.2, §3.2) */
};

enum sf_result {
    SF_OK,
    SF_END, /* there is no further one */
    SF_BAD, /* the text is not what it should be; nothing may be made of the rest */
};

/*
 * The next member of a dictionary, item of an inner list's text, or parameter of a params text.
 * *REST is what is left of the text, and moves on.
 */
enum sf_result sf_next_member(struct slice *rest, struct sf_member *member);
enum sf_result sf_next_item(struct slice *rest, struct sf_value *item);
enum sf_result sf_next_param(struct slice *rest, struct sf_member *param);

/*
 * The member KEY of a dictionary; where it stands twice, the last one counts (RFC 9651 §4.2.2).
 * SF_END: there is none. SF_BAD: the text is no dictionary, even if KEY was found.
 */
enum sf_result sf_find(struct slice dictionary, struct slice key, struct sf_value *value);

/*
 * Decodes the base64 of an SF_BYTES; padding may be missing (RFC 9651 §4.2.7). False when it is no
 * base64 or more than MAX bytes.
 */
bool sf_bytes_decode(struct slice base64, unsigned char *out, size_t max, size_t *len);

/* Appends bytes as an item, :…: with base64 in it. 0 or an error of buf.h. */
int sf_append_bytes(struct buf *out, const void *data, size_t len)
    __attribute__((warn_unused_result));

/*
 * Appends an item or an inner list with its parameters, in the one way to write it (RFC 9651 §4.1).
 * A decimal and bytes are repeated as they came. 0, UV_EINVAL, or an error of buf.h.
 */
int sf_append_value(struct buf *out, const struct sf_value *value)
    __attribute__((warn_unused_result));

#endif
