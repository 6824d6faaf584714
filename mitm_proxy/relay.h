/*
 * Which bytes of a read may be passed on.
 *
 * A head is passed on once it is whole and found good, a body as it comes, and of a message that
 * is refused nothing that has not gone already. Both directions use it; no I/O in here.
 */
#ifndef MITM_PROXY_RELAY_H
#define MITM_PROXY_RELAY_H

#include <uv.h>

#include "lib/http_parser.h"

struct relay {
    struct http_parser *parser;
    const char *pos, *end; /* what the parser has not taken yet */
    const char *from;      /* what was not passed on yet begins here … */
    const char *good;      /* … and may be passed on up to here */
    const char *message;   /* where the current message began; NULL: before this read */
    size_t head_before;    /* bytes of an unfinished head that earlier reads brought */
    struct slice prefix;   /* those bytes, once that head is good */
    bool untouched;        /* nothing of the current message was passed on */
};

/* Begins with one read. DATA must stay in place until the relay is done with it. */
void relay_begin(struct relay *relay, struct http_parser *parser, const char *data, size_t len);

/* The next event of the parser. After END, and when the read is used up, call relay_runs. */
enum http_event relay_next(struct relay *relay);

/* Whether there is a next event, after EVENT: behind a head there is, be it the end. */
static inline bool relay_goes_on(const struct relay *relay, enum http_event event)
{
    return event == HTTP_EVENT_HEAD || (event == HTTP_EVENT_END && relay->pos < relay->end);
}

/* What may be passed on now, as 0 to 2 runs; it counts as passed on. */
unsigned int relay_runs(struct relay *relay, uv_buf_t runs[2]);

#endif
