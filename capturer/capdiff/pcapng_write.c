#include "capturer/capdiff/pcapng_write.h"

#include <pcap/dlt.h>
#include <string.h>

#define BLOCK_SECTION 0x0A0D0D0Au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define ORDER_MAGIC 0x1A2B3C4Du
#define OPTION_END 0u
#define OPTION_COMMENT 1u
#define OPTION_NAME 2u       /* of an interface */
#define OPTION_PROGRAM 4u    /* that wrote a section */
#define OPTION_RESOLUTION 9u /* of an interface's stamps */
#define LINKTYPE_RAW 101u    /* the one link type whose number in files is another */
#define BLOCK_FRAME 12u      /* type, and the length before and behind */

static void put32(FILE *file, uint32_t value)
{
    fwrite(&value, sizeof(value), 1, file);
}

static void put16(FILE *file, uint32_t value)
{
    uint16_t half = (uint16_t)value;

    fwrite(&half, sizeof(half), 1, file);
}

static uint32_t padded(size_t len)
{
    return (uint32_t)((len + 3) / 4 * 4);
}

static void put_padded(FILE *file, const void *data, size_t len)
{
    static const char zeros[4];

    if (len > 0)
        fwrite(data, 1, len, file);
    fwrite(zeros, 1, padded(len) - len, file);
}

static uint32_t option_size(size_t len)
{
    return 4 + padded(len);
}

static void put_option(FILE *file, uint32_t code, const void *data, size_t len)
{
    put16(file, code);
    put16(file, (uint32_t)len);
    put_padded(file, data, len);
}

void pcapng_write_section(FILE *file, struct slice program, struct slice comment)
{
    uint32_t size = BLOCK_FRAME + 16 + option_size(program.len) + option_size(comment.len) + 4;

    put32(file, BLOCK_SECTION);
    put32(file, size);
    put32(file, ORDER_MAGIC);
    put16(file, 1);
    put16(file, 0);
    put32(file, UINT32_MAX); /* the section's length is not said */
    put32(file, UINT32_MAX);
    put_option(file, OPTION_PROGRAM, program.data, program.len);
    put_option(file, OPTION_COMMENT, comment.data, comment.len);
    put32(file, OPTION_END);
    put32(file, size);
}

void pcapng_write_interface(FILE *file, int link, struct slice name)
{
    static const uint8_t nanoseconds = 9;
    uint32_t size = BLOCK_FRAME + 8 + option_size(name.len) + option_size(1) + 4;

    put32(file, BLOCK_INTERFACE);
    put32(file, size);
    put16(file, link == DLT_RAW ? LINKTYPE_RAW : (uint32_t)link);
    put16(file, 0);
    put32(file, 0); /* no snaplen */
    put_option(file, OPTION_NAME, name.data, name.len);
    put_option(file, OPTION_RESOLUTION, &nanoseconds, 1);
    put32(file, OPTION_END);
    put32(file, size);
}

static size_t comment_len(struct slice comment)
{
    return comment.len < PCAPNG_COMMENT_MAX ? comment.len : PCAPNG_COMMENT_MAX;
}

void pcapng_write_packet(FILE *file, uint32_t interface, const struct savefile_packet *packet,
    const struct slice *comments, size_t n_comments)
{
    uint32_t size = BLOCK_FRAME + 20 + padded(packet->len);

    for (size_t i = 0; i < n_comments; i++)
        size += option_size(comment_len(comments[i]));
    size += n_comments > 0 ? 4 : 0;
    put32(file, BLOCK_PACKET);
    put32(file, size);
    put32(file, interface);
    put32(file, (uint32_t)(packet->time_ns >> 32));
    put32(file, (uint32_t)packet->time_ns);
    put32(file, (uint32_t)packet->len);
    put32(file, (uint32_t)packet->wire_len);
    put_padded(file, packet->data, packet->len);
    for (size_t i = 0; i < n_comments; i++)
        put_option(file, OPTION_COMMENT, comments[i].data, comment_len(comments[i]));
    if (n_comments > 0)
        put32(file, OPTION_END);
    put32(file, size);
}
