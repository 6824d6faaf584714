/*
 * What input.h needs of a compression: packed bytes in, plain bytes out, no I/O.
 */
#ifndef CAPDIFF_UNPACK_H
#define CAPDIFF_UNPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unpack_step {
    const uint8_t *in;
    size_t in_len;
    uint8_t *out;
    size_t out_len;
    bool whole; /* after the step: what came so far is whole, should no more bytes come */
};

struct unpacker {
    const char *name;
    const char *damaged; /* "the gzip data is damaged" */
    void *(*open)(void); /* NULL: no memory */

    /* Moves the pointers of STEP forward as far as it gets. False: the bytes are damaged. */
    bool (*step)(void *state, struct unpack_step *step);
    void (*close)(void *state);
};

/* The one whose format begins with these LEN bytes; NULL: none. Four bytes are enough. */
const struct unpacker *unpacker_find(const uint8_t *magic, size_t len);

#endif
