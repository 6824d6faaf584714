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
    bool payload;       /* all its connections are the proxy's own: savefile_is_payload */
    enum capture_end end;
    char end_reason[128]; /* for people, unless CAPTURE_WHOLE */
};

/* The segment and its payload are valid only during the call. */
typedef void (*capture_segment_cb)(void *arg, const struct segment *segment);

struct capture;

/*
 * Opens PATH, "-" for standard input. 0, or with one sentence in ERR:
 *   UV_ENOENT  there is no such file
 *   UV_EOF     it is empty, or ends inside its header: perhaps it is still being created
 *   UV_EINVAL  it is no capture
 *   UV_E*      it could not be read
 */
int capture_open(struct capture **out, const char *path, char *err, size_t err_size);

/* The same from memory, which is borrowed. */
int capture_open_memory(
    struct capture **out, const void *data, size_t len, char *err, size_t err_size);
void capture_close(struct capture *capture);

/* Reads on, as far as LEN bytes of the file go. False: it is over, and there is no more. */
bool capture_read(struct capture *capture, uint64_t len, capture_segment_cb on_segment, void *arg);

/* Goes on with the record at PLACE, or passes over what is before it, where the file is packed. */
void capture_seek(struct capture *capture, uint64_t place);

/* UV_EINVAL, with one sentence in ERR, if it has only link types that packet.h does not know. */
int capture_check(const struct capture *capture, char *err, size_t err_size);

/* As far as it was read. */
const struct capture_facts *capture_facts(const struct capture *capture);

/* Bytes read, and of the whole file; 0: that is not known. */
uint64_t capture_offset(const struct capture *capture);
uint64_t capture_size(const struct capture *capture);

#endif
