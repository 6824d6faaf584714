/*
 * Where server-sent events begin and end (WHATWG HTML §9.2.5 and §9.2.6), in content that comes
 * piece by piece. No I/O, no memory of its own; the byte order mark is not its matter.
 *
 * A block of lines that ends with a blank one is an event if it has a data line, if only "data";
 * others are none, and nor is one that the end of the content cuts off. Lines end with CRLF, LF or
 * CR. A CR alone may be the half of a CRLF: a blank line that ends with it is over at once where
 * the line before ended so too, and else when it is known what follows.
 */
#ifndef MITM_PROXY_EVENT_STREAM_H
#define MITM_PROXY_EVENT_STREAM_H

#include <stdbool.h>

#include "lib/slice.h"

#define EVENT_TYPE_MAX 1024 /* bytes; of a longer type only these are looked at */

enum event_end {
    EVENT_GOES_ON,
    EVENT_IS_NONE, /* the block is over, and was no event */
    EVENT_IS_OVER,
};

/* Bytes that belong together: of one line at most. */
struct event_run {
    size_t len;         /* may be 0 at an end */
    bool aside;         /* no part of a block: a comment's, or late for the last one's end */
    enum event_end end; /* what is behind them */
};

enum event_place {
    EVENT_LINE_BEGINS,
    EVENT_NAME,
    EVENT_TYPE_BEGINS, /* a space here is not part of it */
    EVENT_TYPE,
    EVENT_REST, /* of no interest */
};

/* Begins with all zero. */
struct event_stream {
    enum event_place place;
    const char *line_break; /* that the last line had; NULL: none so far */
    bool aside;             /* the line */
    bool after_cr;
    bool ending; /* that CR ended the block, if not its LF will */
    bool over;   /* the block; what was known of it goes with the next line */
    bool has_data;
    size_t name_len, type_len;
    char name[5]; /* room for the names that matter */
    char type[EVENT_TYPE_MAX];
};

/* Takes the first bytes of CONTENT, which has one at least. */
struct event_run event_stream_next(struct event_stream *stream, struct slice content);

/* The content has ended: what that ends. */
enum event_end event_stream_end(struct event_stream *stream);

/* The type of the event that is over, "message" where it names none; until the next call. */
struct slice event_stream_type(const struct event_stream *stream);

#endif
