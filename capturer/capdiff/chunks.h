/*
 * How a body is cut into chunks (RFC 9112 §7.1), in a form that two of them can be compared by.
 */
#ifndef CAPDIFF_CHUNKS_H
#define CAPDIFF_CHUNKS_H

#include "lib/chunks.h"

struct chunks {
    uint64_t count;        /* without the last one, which is empty */
    uint64_t borders;      /* a hash of their sizes */
    uint64_t spelling;     /* a hash of the lines that tell the sizes, extensions included */
    struct slice trailers; /* field lines without the empty line behind them; empty: none */
};

/* BODY is a whole chunked body that lib/http_parser has read. False: it is none. */
bool chunks_read(struct chunks *chunks, struct slice body);

#endif
