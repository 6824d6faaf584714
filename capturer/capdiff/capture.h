/*
 * A capture file → its TCP segments, in the order of the file; and what the file is worth.
 *
 * Formats: see savefile.h. Link layers: see packet.h. Fragments are put together (fragments.h).
 */
#ifndef CAPDIFF_CAPTURE_H
#define CAPDIFF_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/packet.h"
#include "capturer/capdiff/savefile.h"

enum capture_end {
    CAPTURE_WHOLE,
    CAPTURE_CUT,     /* the file ends inside a packet */
    CAPTURE_DAMAGED, /* a record that cannot be read; what follows it was not used */
};

struct capture_facts {
    uint64_t packets; /* whole ones, of any kind */
    uint64_t bytes;   /* recorded in them */
    uint64_t first_ns, last_ns;
    uint64_t fragments; /* IP fragments that could not be put together */
    uint64_t malformed; /* packets whose headers could not be read */
    uint64_t snapped;   /* segments recorded without all of their payload */
    uint64_t unread;    /* packets of link types that packet.h does not know */
    uint64_t dropped;   /* packets that were lost, as the file itself says */
    bool drops_known;   /* it says so at all */
    enum capture_end end;
    char end_reason[128]; /* for people, unless CAPTURE_WHOLE */
};

/* The segment and its payload are valid only during the call. */
typedef void (*capture_segment_cb)(void *arg, const struct segment *segment);

/*
 * Reads all of PATH, "-" for standard input. 0, or with one sentence in ERR:
 *   UV_ENOENT  there is no such file
 *   UV_EOF     it is empty, or ends inside its header: perhaps it is still being created
 *   UV_EINVAL  it is no capture, or has only link types that packet.h does not know
 *   UV_E*      it could not be read
 */
int capture_read(const char *path, capture_segment_cb on_segment, void *arg,
    struct capture_facts *facts, char *err, size_t err_size);

/* Reads the rest of FILE. 0, or UV_EINVAL as above; NAME is what ERR calls it. */
int capture_read_file(struct savefile *file, const char *name, capture_segment_cb on_segment,
    void *arg, struct capture_facts *facts, char *err, size_t err_size);

#endif
