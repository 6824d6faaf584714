/*
 * Fields of one name as one value: what the fields that are signed or structured are read from.
 */
#ifndef LIB_HTTP_FIELDS_H
#define LIB_HTTP_FIELDS_H

#include "lib/buf.h"
#include "lib/http_head.h"

/*
 * Appends the values of all fields NAME (case ignored) as RFC 9421 §2.1 has it: without the white
 * space around each, a line fold in it as one space, and ", " between them. 0, UV_ENOENT when there
 * is no such field, or an error of buf.h.
 */
int http_fields_combine(const struct http_head *head, struct slice name, struct buf *out)
    __attribute__((warn_unused_result));

#endif
