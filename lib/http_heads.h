/*
 * Heads that were read, and the memory for the next ones.
 *
 * What a head says depends on its bytes alone, and on a busy connection most are the same to the
 * byte: so one that was read lately need not be read again. For http_parser.c alone, whose header
 * has struct http_heads.
 */
#ifndef LIB_HTTP_HEADS_H
#define LIB_HTTP_HEADS_H

#include <llhttp.h>

#include "lib/buf.h"
#include "lib/http_parser.h"

struct http_reading {
    struct http_reading *next;
    struct buf bytes;      /* the head, or as much of it as has come */
    struct buf fields;     /* its fields, for which `head` has no memory */
    struct http_head head; /* spans of these two */
    llhttp_t llhttp;       /* as it is behind the head */
    bool whole;            /* the head was read and is good, and all of this is true of it */
};

/*
 * A reading for the head that DATA begins with: it is whole where that head is known, else empty.
 * NULL when there is no memory. To be given back.
 */
struct http_reading *http_heads_take(
    struct http_heads *heads, enum http_kind kind, const char *data, size_t len);

/* READING may be NULL. */
void http_heads_give(struct http_heads *heads, enum http_kind kind, struct http_reading *reading);

#endif
