/* pcapng: blocks, of which packets, interfaces, statistics and section headers are read. */
#include <pcap/dlt.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/savefile_state.h"

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET_OLD 2u
#define BLOCK_PACKET_SIMPLE 3u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET 6u

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BLOCK_MIN 12    /* type, length, length again */
#define SECTION_MIN 28  /* with the byte order, the version and the section's length */
#define SECTION_HEAD 16 /* before its options */
#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_RESOLUTION 9
#define OPTION_OFFSET 14
#define OPTION_PACKET_FLAGS 2
#define OPTION_PACKET_DROPS 4
#define DIRECTION_MASK 3u /* of the packet's flags */
#define OPTION_IF_DROPS 5
#define OPTION_OS_DROPS 7
#define DROPS_UNKNOWN 0xffffu

#define RESOLUTION_US 6
#define NS_PER_S 1000000000u
#define FRACTION_BITS_MAX 34 /* a fraction times 10^9 stays within 64 bits */

/* The options of a block, or what is left of them. */
struct options {
    const struct savefile *file;
    const uint8_t *at, *end;
    uint16_t code;
    size_t len;
    const uint8_t *value;
};

static bool options_next(struct options *options)
{
    if (options->end - options->at < 4)
        return false;
    options->code = savefile_get16(options->file, options->at);
    options->len = savefile_get16(options->file, options->at + 2);
    options->value = options->at + 4;
    if (options->code == OPTION_END || (size_t)(options->end - options->value) < options->len)
        return false;
    options->at = options->value + options->len;
    options->at += (size_t)(-(options->len) & 3) <= (size_t)(options->end - options->at)
                       ? (size_t)(-(options->len) & 3)
                       : (size_t)(options->end - options->at);
    return true;
}

static uint64_t option64(const struct options *options)
{
    uint64_t value;

    if (options->len != sizeof(value))
        return 0;
    memcpy(&value, options->value, sizeof(value));
    return options->file->swapped ? __builtin_bswap64(value) : value;
}

/* A stamp in the interface's unit → ns. RFC: 10^-n, or 2^-n where the top bit is set. */
static uint64_t to_ns(const struct savefile_interface *interface, uint64_t stamp)
{
    unsigned exponent = interface->resolution & 0x7f;
    uint64_t ns = stamp, fraction;

    if ((interface->resolution & 0x80) == 0) {
        for (; exponent < 9; exponent++)
            ns *= 10;
        for (; exponent > 9 && ns > 0; exponent--)
            ns /= 10;
        return ns + interface->offset_ns;
    }
    if (exponent > 63)
        return interface->offset_ns;
    fraction = stamp & ((1ull << exponent) - 1);
    ns = (stamp >> exponent) * NS_PER_S + interface->offset_ns;
    if (exponent > FRACTION_BITS_MAX) {
        fraction >>= exponent - FRACTION_BITS_MAX;
        exponent = FRACTION_BITS_MAX;
    }
    return ns + (fraction * NS_PER_S >> exponent);
}

uint64_t savefile_dropped(const struct savefile *file, bool *known)
{
    uint64_t dropped = file->dropped;

    for (size_t i = 0; i < file->n_interfaces; i++) {
        const struct savefile_interface *interface = &file->interfaces[i];

        /* Both count the same losses, where both are there. */
        dropped += interface->dropped > interface->dropped_told ? interface->dropped
                                                                : interface->dropped_told;
    }
    *known = file->drops_known;
    return dropped;
}

static enum savefile_event damaged(struct savefile *file, const char *what)
{
    return savefile_stop(file, SAVEFILE_DAMAGED, "%s", what);
}

bool savefile_is_payload(const struct savefile *file)
{
    return file->sections > 0 && file->payload_sections == file->sections;
}

/* Whoever made the section says that it is no recording of a wire. */
static void read_comments(struct savefile *file, const uint8_t *body, size_t len)
{
    static const char mark[] = "payload capture:";
    struct options options = {.file = file, .at = body + SECTION_HEAD, .end = body + len};
    bool payload = false;

    while (options_next(&options))
        payload = payload || (options.code == OPTION_COMMENT && options.len >= sizeof(mark) - 1 &&
                                 memcmp(options.value, mark, sizeof(mark) - 1) == 0);
    file->sections++;
    file->payload_sections += payload;
}

/*
 * Reads a section header, which is at hand up to its byte order. False: it is none.
 */
static bool begin_section(struct savefile *file)
{
    uint32_t magic;
    bool known;

    memcpy(&magic, file->input.at + 8, sizeof(magic));
    if (magic != BYTE_ORDER_MAGIC && __builtin_bswap32(magic) != BYTE_ORDER_MAGIC)
        return false;
    file->dropped = savefile_dropped(file, &known);
    file->n_interfaces = 0;
    file->swapped = magic != BYTE_ORDER_MAGIC;
    return savefile_get16(file, file->input.at + 12) == 1; /* the only major version there is */
}

int savefile_ng_begin(struct savefile *file)
{
    if (input_want(&file->input, SECTION_MIN) < SECTION_MIN)
        return UV_EOF;
    if (!begin_section(file))
        return UV_EINVAL;
    uint32_t len = savefile_get32(file, file->input.at + 4);

    if (len < SECTION_MIN || len % 4 != 0 || len > SAVEFILE_RECORD_MAX)
        return UV_EINVAL;
    return input_want(&file->input, len) < len ? UV_EOF : 0;
}

static bool add_interface(struct savefile *file, const uint8_t *body, size_t len)
{
    struct options options = {.file = file, .at = body + 8, .end = body + len};
    struct savefile_interface *interface;

    if (len < 8 || file->n_interfaces == SAVEFILE_INTERFACES_MAX)
        return false;
    file->interfaces =
        memory_room(file->interfaces, file->n_interfaces, &file->room, sizeof(*interface));
    interface = &file->interfaces[file->n_interfaces++];
    memset(interface, 0, sizeof(*interface));
    interface->link = savefile_link(savefile_get16(file, body));
    interface->snaplen = savefile_get32(file, body + 4);
    interface->resolution = RESOLUTION_US;
    while (options_next(&options)) {
        if (options.code == OPTION_RESOLUTION && options.len == 1)
            interface->resolution = options.value[0];
        else if (options.code == OPTION_OFFSET)
            interface->offset_ns = option64(&options) * NS_PER_S;
    }
    return true;
}

static struct savefile_interface *interface_at(struct savefile *file, uint32_t id)
{
    return id < file->n_interfaces ? &file->interfaces[id] : NULL;
}

/* The counters go on from block to block, so the last one counts. */
static bool take_statistics(struct savefile *file, const uint8_t *body, size_t len)
{
    struct options options = {.file = file, .at = body + 12, .end = body + len};
    struct savefile_interface *interface;
    uint64_t dropped = 0;

    if (len < 12 || (interface = interface_at(file, savefile_get32(file, body))) == NULL)
        return false;
    while (options_next(&options)) {
        if (options.code != OPTION_IF_DROPS && options.code != OPTION_OS_DROPS)
            continue;
        dropped += option64(&options);
        file->drops_known = true;
    }
    interface->dropped_told = dropped;
    return true;
}

/* What the three kinds of packet blocks have in common, once they are taken apart. */
struct ng_packet {
    struct savefile_interface *interface;
    const uint8_t *data;
    uint32_t len, wire_len;
    uint64_t stamp;
    bool stamped;
    uint32_t direction; /* as savefile_packet has it */
};

static bool take_apart(
    struct savefile *file, uint32_t type, const uint8_t *body, size_t len, struct ng_packet *out)
{
    size_t header = type == BLOCK_PACKET_SIMPLE ? 4 : 20;

    if (len < header)
        return false;
    out->data = body + header;
    if (type == BLOCK_PACKET_SIMPLE) {
        out->interface = interface_at(file, 0);
        out->wire_len = savefile_get32(file, body);
        out->len = out->wire_len < len - header ? out->wire_len : (uint32_t)(len - header);
        if (out->interface != NULL && out->interface->snaplen != 0 &&
            out->len > out->interface->snaplen)
            out->len = out->interface->snaplen;
        return out->interface != NULL;
    }
    out->interface = interface_at(file,
        type == BLOCK_PACKET ? savefile_get32(file, body) : (uint32_t)savefile_get16(file, body));
    out->stamped = true;
    out->stamp = (uint64_t)savefile_get32(file, body + 4) << 32 | savefile_get32(file, body + 8);
    out->len = savefile_get32(file, body + 12);
    out->wire_len = savefile_get32(file, body + 16);
    return out->interface != NULL && out->len <= len - header;
}

static void take_option(
    struct savefile *file, struct ng_packet *packet, const struct options *option)
{
    if (option->code == OPTION_PACKET_DROPS) {
        packet->interface->dropped += option64(option);
        file->drops_known = true;
    } else if (option->code == OPTION_PACKET_FLAGS && option->len == 4) {
        packet->direction = savefile_get32(file, option->value) & DIRECTION_MASK;
    }
}

static void take_options(struct savefile *file, uint32_t type, const uint8_t *body,
    const uint8_t *end, struct ng_packet *packet)
{
    struct options options = {.file = file, .at = packet->data + packet->len, .end = end};
    size_t pad = (size_t)-packet->len & 3;

    if (type == BLOCK_PACKET_OLD && savefile_get16(file, body + 2) != DROPS_UNKNOWN) {
        packet->interface->dropped += savefile_get16(file, body + 2);
        file->drops_known = true;
    }
    if (type != BLOCK_PACKET || (size_t)(end - options.at) <= pad)
        return;
    options.at += pad;
    while (options_next(&options))
        take_option(file, packet, &options);
}

static enum savefile_event take_packet(struct savefile *file, uint32_t type, const uint8_t *body,
    size_t len, struct savefile_packet *packet)
{
    struct ng_packet found = {0};

    if (!take_apart(file, type, body, len, &found))
        return damaged(file, "a packet block that contradicts itself");
    take_options(file, type, body, body + len, &found);
    packet->data = found.data;
    packet->len = found.len;
    packet->wire_len = found.wire_len > found.len ? found.wire_len : found.len;
    packet->link = found.interface->link;
    packet->direction = found.direction;
    if (found.stamped)
        file->last_ns = to_ns(found.interface, found.stamp);
    packet->time_ns = file->last_ns;
    return SAVEFILE_PACKET;
}

static bool is_read(uint32_t type)
{
    return type == BLOCK_SECTION || type == BLOCK_INTERFACE || type == BLOCK_PACKET_OLD ||
           type == BLOCK_PACKET_SIMPLE || type == BLOCK_STATISTICS || type == BLOCK_PACKET;
}

/* A block that is of no concern, however long. */
static bool skip_block(struct savefile *file, uint32_t len)
{
    if (input_skip(&file->input, len))
        return true;
    (void)savefile_short(file, len);
    return false;
}

/* A block that is at hand, whole. True: PACKET is set, or the file has ended. */
static bool take_block(struct savefile *file, uint32_t type, uint32_t len,
    struct savefile_packet *packet, enum savefile_event *event)
{
    const uint8_t *block = file->input.at, *body = block + 8;
    size_t body_len = len - BLOCK_MIN;
    bool good = savefile_get32(file, block + len - 4) == len;

    packet->offset = input_offset(&file->input);
    if (good && type == BLOCK_SECTION)
        read_comments(file, body, body_len);
    if (good && type == BLOCK_INTERFACE)
        good = add_interface(file, body, body_len);
    else if (good && type == BLOCK_STATISTICS)
        good = take_statistics(file, body, body_len);
    else if (good && type != BLOCK_SECTION) {
        *event = take_packet(file, type, body, body_len, packet);
        input_took(&file->input, len);
        return true;
    }
    input_took(&file->input, len);
    if (!good)
        *event = damaged(file, "a block whose lengths contradict each other");
    return !good;
}

/* Looks at the next block's type and length. False: the file has ended. */
static bool next_block(
    struct savefile *file, uint32_t *type, uint32_t *len, enum savefile_event *event)
{
    struct input *input = &file->input;
    size_t there = input_want(input, BLOCK_MIN);

    if (there < BLOCK_MIN) {
        *event = savefile_short(file, there);
        return false;
    }
    *type = savefile_get32(file, input->at);
    if (*type == BLOCK_SECTION) {
        there = input_want(input, SECTION_MIN);
        if (there < SECTION_MIN) {
            *event = savefile_short(file, there);
            return false;
        }
        if (!begin_section(file)) {
            *event = damaged(file, "a section header that is none");
            return false;
        }
    }
    *len = savefile_get32(file, input->at + 4);
    if (*len < (*type == BLOCK_SECTION ? SECTION_MIN : BLOCK_MIN) || *len % 4 != 0 ||
        (is_read(*type) && *len > SAVEFILE_RECORD_MAX)) {
        *event = savefile_stop(file, SAVEFILE_DAMAGED, "a block of %u bytes cannot be", *len);
        return false;
    }
    return true;
}

enum savefile_event savefile_ng_next(struct savefile *file, struct savefile_packet *packet)
{
    enum savefile_event event = SAVEFILE_END;
    uint32_t type, len;

    while (next_block(file, &type, &len, &event)) {
        size_t there;

        if (!is_read(type)) {
            if (!skip_block(file, len))
                return file->end;
            continue;
        }
        there = input_want(&file->input, len);
        if (there < len)
            return savefile_short(file, there);
        if (take_block(file, type, len, packet, &event))
            return event;
    }
    return event;
}
