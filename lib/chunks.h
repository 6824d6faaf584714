/*
 * The chunked transfer coding (RFC 9112 §7.1): where the chunks of a body are. For bytes that
 * http_parser has read and found good.
 */
#ifndef LIB_CHUNKS_H
#define LIB_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/slice.h"

struct chunk {
    struct slice line; /* that tells the size, without its end */
    uint64_t size;     /* 0: the last one, and what is left are the trailers */
    struct slice data; /* shorter than the size where the body is cut */
};

/* Takes the chunk that REST begins with. False: there is none, or its first line is cut. */
bool chunks_next(struct slice *rest, struct chunk *chunk);

enum chunk_part {
    CHUNK_SIZE,      /* the digits that tell the size */
    CHUNK_EXTENSION, /* what else its line says */
    CHUNK_DATA,
    CHUNK_END,      /* the end of the line behind the data */
    CHUNK_TRAILERS, /* and the end */
};

/* A body that comes piece by piece; it begins with all zero. */
struct chunk_stream {
    enum chunk_part part;
    uint64_t size; /* of the chunk at hand: what has not come of it */
};

/*
 * Takes from the beginning of REST, which is of such a body. DATA are bytes of the content, and may
 * be none. False: REST is used up.
 */
bool chunk_stream_next(struct chunk_stream *stream, struct slice *rest, struct slice *data);

#endif
