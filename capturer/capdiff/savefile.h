/*
 * A capture file → its packets, in the order of the file.
 *
 * pcap (pcap-savefile(5); µs and ns, both byte orders, also with Kuznetzov's longer records) and
 * pcapng (draft-ietf-opsawg-pcapng): any number of sections and interfaces, each with its own byte
 * order, link type, snaplen and resolution; enhanced, simple and old packet blocks; the drops that
 * statistics blocks and packets tell of. Other blocks and all comments are passed over. Packed
 * files and standard input: see input.h.
 *
 * A file that ends inside a packet gives its last whole one and then SAVEFILE_CUT.
 */
#ifndef CAPDIFF_SAVEFILE_H
#define CAPDIFF_SAVEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/input.h"

#define SAVEFILE_INTERFACES_MAX 4096 /* of one section; a file with more is taken for damaged */

struct savefile;

enum savefile_event {
    SAVEFILE_PACKET,
    SAVEFILE_END,
    SAVEFILE_CUT,     /* the file ends inside a packet */
    SAVEFILE_DAMAGED, /* a record that cannot be; nothing behind it is read */
};

/* As the flags of a pcapng packet block say it of the host that recorded. */
#define SAVEFILE_INBOUND 1
#define SAVEFILE_OUTBOUND 2

struct savefile_packet {
    const uint8_t *data; /* valid until the next call */
    size_t len;          /* bytes recorded */
    size_t wire_len;     /* bytes on the wire: at least LEN */
    uint64_t time_ns;    /* since 1970; the packet before it tells, where it has no stamp */
    uint64_t offset;     /* of its record in the unpacked file */
    int link;            /* libpcap's DLT_ value */
    uint32_t direction;  /* SAVEFILE_INBOUND, SAVEFILE_OUTBOUND; else the file does not say */
};

/*
 * Opens PATH, "-" for standard input. 0, or with one sentence in ERR:
 *   UV_ENOENT  there is no such file
 *   UV_EOF     it is empty, or ends inside its header: perhaps it is still being created
 *   UV_EINVAL  it is no capture
 *   UV_E*      it could not be read
 */
int savefile_open(struct savefile **out, const char *path, char *err, size_t err_size);

/* The same from memory, which is borrowed; NAME is what ERR calls it. */
int savefile_open_memory(struct savefile **out, const void *data, size_t len, const char *name,
    char *err, size_t err_size);
void savefile_close(struct savefile *file);

/* The next packet, or what came instead; after that, the same again. */
enum savefile_event savefile_next(struct savefile *file, struct savefile_packet *packet);

/* Goes on with the record at OFFSET. False: not possible, and nothing was done. */
bool savefile_seek(struct savefile *file, uint64_t offset);

/* How many bytes the file has: where a packet's offset leads. 0: packed, or no file. */
uint64_t savefile_size(const struct savefile *file);

/*
 * All that was read of it are packets that mitm_proxy made up from what it read and wrote, as their
 * sections' comments say: every connection in there is one of the proxy's own.
 */
bool savefile_is_payload(const struct savefile *file);

/* A few words, for SAVEFILE_CUT and SAVEFILE_DAMAGED. */
const char *savefile_reason(const struct savefile *file);

/* Packets that whoever recorded it says were lost; *KNOWN: it says so at all. */
uint64_t savefile_dropped(const struct savefile *file, bool *known);

#endif
