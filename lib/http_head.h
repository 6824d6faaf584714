/*
 * The head of an HTTP/1.1 message: start line and fields as spans of the bytes that came, and
 * what they say about framing (RFC 9112).
 *
 * Every span points into `bytes` and lives as long as the parser's current message.
 */
#ifndef LIB_HTTP_HEAD_H
#define LIB_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

#define HTTP_HEAD_MAX (64 * 1024UL) /* bytes: past it 431 */
#define HTTP_FIELDS_MAX 256         /* fields: past it 431 */
#define HTTP_TARGET_MAX (16 * 1024UL)

enum http_kind {
    HTTP_KIND_REQUEST,
    HTTP_KIND_RESPONSE,
};

struct http_field {
    struct slice name;
    struct slice value; /* without the white space around it */
};

struct http_head {
    struct slice bytes; /* all of it, from leading CRLFs through the empty line */
    struct slice method, target;
    struct slice reason;
    int status;        /* responses */
    int version_minor; /* 0 or 1 */
    struct http_field *fields;
    size_t n_fields;
    uint64_t content_length; /* valid with has_content_length */
    bool has_content_length;
    bool chunked;
    bool keep_alive; /* what the version and the Connection field say together */
    bool upgrade; /* Upgrade with "Connection: upgrade" (RFC 9110 §7.8), in HTTP/1.0, too, where it
                     is to be ignored, and is not by everybody */
    bool expect_continue;
};

/*
 * Why a message was refused. The word is one of bad_request, target_too_long, head_too_large,
 * not_implemented, bad_version, http_2, bad_response, incomplete, after_close, no_memory.
 */
struct http_problem {
    const char *word;
    const char *reason; /* a sentence for people, without the full stop */
    int status;         /* what a server answers to a request: 400, 414, 431, 500, 501, 505 */
};

/* The value of the first field NAME (case ignored); absent: data NULL. */
struct slice http_head_field(const struct http_head *head, const char *name);

/* True when a field NAME, read as a comma-separated list, has TOKEN in it (case ignored). */
bool http_head_has_token(const struct http_head *head, const char *name, const char *token);

/*
 * Reads a whole head, CRLF by CRLF, by the rules that keep two parsers from reading it differently
 * (RFC 9112 §§3, 5, 6; RFC 9110 §§5, 7.2). FIELDS has room for HTTP_FIELDS_MAX. Returns true with
 * HEAD filled, or false with *PROBLEM.
 */
bool http_head_read(struct http_head *head, enum http_kind kind, struct slice bytes,
    struct http_field *fields, struct http_problem *problem);

#endif
