/*
 * JSON as text: finds the byte range of a value and leaves every byte as it is (RFC 8259).
 *
 * Numbers are never converted and strings never decoded unless asked, so that
 * 9007199254740993, 1e400 and "\u0000" survive. The whole grammar is checked in one linear pass.
 * Bytes from 0x80 in strings pass as they are, valid UTF-8 or not; a byte order mark does not (RFC
 * 8259 §8.1).
 */
#ifndef LIB_JSON_TEXT_H
#define LIB_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/slice.h"

#define JSON_TEXT_DEPTH_MAX 128    /* nesting; deeper is an error */
#define JSON_TEXT_TOKENS_MAX 65536 /* values and keys in one document */

enum json_type {
    JSON_NONE, /* absent */
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_text; /* a parsed document: borrows the text, owns its tokens */

/* The *WHY of a text that may be good JSON, only that there was no memory to parse it. */
extern const char JSON_TEXT_NO_MEMORY[];

/*
 * Parses one whole document. NULL on bad JSON or no memory, with *WHY (a fixed clause, as in "bad
 * JSON at byte 7: a colon is expected here") and *AT (byte offset) set; both may be NULL.
 */
struct json_text *json_text_parse(struct slice text, const char **why, size_t *at);
void json_text_free(struct json_text *json);

/* A value: an index into the document. The root is 0, absent is -1. */
enum json_type json_text_type(const struct json_text *json, int value);

/* The value's exact text: a string with its quotes, an object with its braces. */
struct slice json_text_raw(const struct json_text *json, int value);

/*
 * The value that an RFC 6901 pointer ("" or "/arguments/account") names; -1 if there is none.
 * Keys are compared decoded. Where a key stands twice, the last one counts, as most parsers have
 * it. -1 also when there is no memory to decode a pointer that has a ~ in it.
 */
int json_text_find(const struct json_text *json, const char *pointer);

/* The same for a pointer that may have a NUL in it, as "/a\u0000b" of a JSON string has. */
int json_text_at(const struct json_text *json, struct slice pointer);

/*
 * Undoes ~0 and ~1 of one reference token (RFC 6901 §4) into OUT, which has room for as many bytes
 * as it has. False where a tilde is followed by something else.
 */
bool json_reference_decode(struct slice reference, char *out, size_t *len);

/* The member of an object by its decoded key (last one counts), or -1. */
int json_text_member(const struct json_text *json, int object, const char *key);

/* The same for COUNT keys at once: VALUES[i] is the member of KEYS[i]. */
void json_text_members(
    const struct json_text *json, int object, int count, const struct slice *keys, int *values);

/* First child and next sibling: of an object, the values; -1 at the end. */
int json_text_first(const struct json_text *json, int value);
int json_text_next(const struct json_text *json, int value);

/* The key of a value that is a member of an object, with its quotes; absent otherwise. */
struct slice json_text_key(const struct json_text *json, int value);

/*
 * Appends a string's raw text (quotes and all) decoded to UTF-8. \u0000 becomes a NUL byte, a lone
 * surrogate U+FFFD. 0, UV_EINVAL when RAW is no JSON string, or an error of buf.h; on error
 * nothing is added.
 */
int json_string_decode(struct slice raw, struct buf *out) __attribute__((warn_unused_result));

/* True when a string's raw text (quotes and all), decoded, is TEXT. */
bool json_string_is(struct slice raw, struct slice text);

#define JSON_ESCAPE_MAX 16 /* two of \uHHHH, and the terminator */

/* A character of UTF-8 as \uHHHH, or as two of it (RFC 8259 §7). Returns the length. */
size_t json_escape(struct slice character, char out[JSON_ESCAPE_MAX]);

/*
 * Appends TEXT as a JSON string with its quotes. Each byte that is no valid UTF-8 becomes U+FFFD,
 * so that the output is always valid JSON, and what utf8_is_unsafe names is escaped. 0 or an error
 * of buf.h; on error nothing is added.
 */
int json_string_encode(struct slice text, struct buf *out) __attribute__((warn_unused_result));

/*
 * Appends TEXT on one line, for people to read, in at most MAX bytes and "…" where it is cut: white
 * space around a line break becomes one space, or nothing at the end, and what
 * utf8_is_unsafe names is escaped, so that what was JSON is the same JSON. Any bytes may be given;
 * each that is no valid UTF-8 becomes U+FFFD. 0 or an error of buf.h; on error nothing is added.
 */
int json_text_line(struct slice text, size_t max, struct buf *out)
    __attribute__((warn_unused_result));

#endif
