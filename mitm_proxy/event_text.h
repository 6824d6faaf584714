/*
 * The text of one server-sent event (WHATWG HTML §9.2.5): what its data is, and other data in its
 * place. No I/O.
 */
#ifndef MITM_PROXY_EVENT_TEXT_H
#define MITM_PROXY_EVENT_TEXT_H

#include "lib/buf.h"
#include "lib/slice.h"

/* All of these return 0 or an error of buf.h, and then OUT has some of it. */

/* Appends the values of all data lines, a line feed between two. */
int event_text_data(struct slice event, struct buf *out) __attribute__((warn_unused_result));

/*
 * Appends EVENT with DATA, whose lines end with LF, CR or CRLF, in the place of its first data
 * line; the others go, and all other lines stay. New lines end as that one does, and have a space
 * behind the colon where it has one, or no value, or where their own first byte is a space.
 */
int event_text_replace(struct slice event, struct slice data, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends an event whose lines end with LINE_BREAK. No line for an absent TYPE or ID. */
int event_text_make(struct slice type, struct slice id, struct slice data, const char *line_break,
    struct buf *out) __attribute__((warn_unused_result));

#endif
