#include "tests/unit/pcap_builder.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define ETHERNET 14
#define HEADERS (ETHERNET + 20 + 20)

static uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value >> 16), value & 0xffff);
}

static void append(struct pcap_builder *builder, const void *data, size_t len)
{
    int status = buf_append(&builder->file, data, len);

    assert(status == 0);
    (void)status;
}

void pcap_builder_init(struct pcap_builder *builder)
{
    static const uint8_t header[24] = {
        0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, [16] = 0, 4, 0, 0, [23] = 1};

    buf_init(&builder->file, (size_t)64 * 1024 * 1024);
    builder->time_us = 1767225600000000u;
    append(builder, header, sizeof(header));
}

void pcap_builder_deinit(struct pcap_builder *builder)
{
    buf_deinit(&builder->file);
}

void pcap_builder_write(const struct pcap_builder *builder, const char *path)
{
    FILE *file = fopen(path, "wb");
    size_t written;

    assert(file != NULL);
    written = fwrite(builder->file.data, 1, builder->file.len, file);
    assert(written == builder->file.len);
    (void)written;
    fclose(file);
}

size_t pcap_frame(uint8_t *frame, struct pcap_end from, struct pcap_end to, uint32_t seq,
    uint32_t ack, uint8_t flags, const void *data, size_t len)
{
    uint8_t *at = frame + ETHERNET;

    assert(HEADERS + len <= PCAP_FRAME_MAX);
    memset(frame, 0, HEADERS);
    put16(frame + 12, 0x0800);
    at[0] = 0x45;
    put16(at + 2, (uint32_t)(40 + len));
    at[8] = 64;
    at[9] = 6;
    put32(put32(at + 12, from.address), to.address);
    at += 20;
    put32(put32(put16(put16(at, from.port), to.port), seq), ack);
    at[12] = 0x50;
    at[13] = flags;
    if (len > 0)
        memcpy(at + 20, data, len);
    return HEADERS + len;
}

void pcap_builder_segment(struct pcap_builder *builder, struct pcap_end from, struct pcap_end to,
    uint32_t seq, uint32_t ack, uint8_t flags, const void *data, size_t len)
{
    static uint8_t frame[PCAP_FRAME_MAX];
    uint32_t size = (uint32_t)pcap_frame(frame, from, to, seq, ack, flags, data, len);
    uint8_t record[16];

    put32(put32(put32(put32(record, (uint32_t)(builder->time_us / 1000000)),
                    (uint32_t)(builder->time_us % 1000000)),
              size),
        size);
    builder->time_us += 10;
    append(builder, record, sizeof(record));
    append(builder, frame, size);
}

static void send_from(struct pcap_builder *builder, struct pcap_connection *connection, int side,
    uint8_t flags, const char *text)
{
    pcap_builder_segment(builder, connection->ends[side], connection->ends[!side],
        connection->next[side], (flags & PCAP_ACK) != 0 ? connection->next[!side] : 0, flags, text,
        strlen(text));
    connection->next[side] +=
        (uint32_t)strlen(text) + ((flags & (PCAP_SYN | PCAP_FIN)) != 0 ? 1 : 0);
}

void pcap_connection_open(struct pcap_builder *builder, struct pcap_connection *connection,
    struct pcap_end client, struct pcap_end server, uint32_t isn)
{
    *connection = (struct pcap_connection){{client, server}, {isn, isn * 3 + 17}};
    send_from(builder, connection, 0, PCAP_SYN, "");
    send_from(builder, connection, 1, PCAP_SYN | PCAP_ACK, "");
    send_from(builder, connection, 0, PCAP_ACK, "");
}

void pcap_connection_say(
    struct pcap_builder *builder, struct pcap_connection *connection, int side, const char *text)
{
    send_from(builder, connection, side, PCAP_ACK, text);
    send_from(builder, connection, !side, PCAP_ACK, "");
}

void pcap_connection_close(struct pcap_builder *builder, struct pcap_connection *connection)
{
    send_from(builder, connection, 0, PCAP_FIN | PCAP_ACK, "");
    send_from(builder, connection, 1, PCAP_FIN | PCAP_ACK, "");
    send_from(builder, connection, 0, PCAP_ACK, "");
}
