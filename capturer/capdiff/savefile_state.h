/*
 * What the rooms of the reader hand to each other: savefile (which format; pcap), savefile_ng
 * (pcapng).
 */
#ifndef CAPDIFF_SAVEFILE_STATE_H
#define CAPDIFF_SAVEFILE_STATE_H

#include <string.h>

#include "capturer/capdiff/savefile.h"

#define SAVEFILE_RECORD_MAX (INPUT_WINDOW_MAX - 4096) /* bytes of one packet */

/* An interface of a pcapng section. */
struct savefile_interface {
    int link;
    uint32_t snaplen;
    uint8_t resolution; /* as if_tsresol has it */
    uint64_t offset_ns;
    uint64_t dropped;      /* as its packets tell, one by one */
    uint64_t dropped_told; /* as its last statistics block tells, in all */
};

struct savefile {
    struct input input;
    bool swapped; /* against this machine's byte order */
    bool ng, ended;
    enum savefile_event end;
    char reason[128];
    uint64_t last_ns;

    /* pcap */
    int link;
    size_t header; /* bytes before each packet */
    uint32_t unit; /* ns of one fraction */

    /* pcapng */
    struct savefile_interface *interfaces;
    size_t n_interfaces, room;
    bool drops_known;
    uint64_t dropped; /* in the sections before this one */
    unsigned sections, payload_sections;
};

static inline uint32_t savefile_get32(const struct savefile *file, const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return file->swapped ? __builtin_bswap32(value) : value;
}

static inline uint16_t savefile_get16(const struct savefile *file, const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return file->swapped ? __builtin_bswap16(value) : value;
}

/* Ends the file. Returns EVENT. FORMAT gives the reason; NULL: SAVEFILE_END has none. */
enum savefile_event savefile_stop(struct savefile *file, enum savefile_event event,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What it means that fewer bytes came than a record has: the file's end, or trouble. */
enum savefile_event savefile_short(struct savefile *file, size_t there);

/* A link type as files write it → DLT_; -1: a number that no libpcap knows either. */
int savefile_link(uint32_t type);

/* The first section's header is at hand. 0, UV_EOF or UV_EINVAL. */
int savefile_ng_begin(struct savefile *file);
enum savefile_event savefile_ng_next(struct savefile *file, struct savefile_packet *packet);

#endif
