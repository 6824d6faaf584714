#include "wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS 54 /* Ethernet, IPv4, TCP */
#define RECORD_HEADER 16
#define BUFFER_SIZE ((size_t)4 * 1024 * 1024)
#define EPOCH_US 1767225600000000u
#define FILES 2

struct capture {
    int fd;
    const char *path;
    uint8_t *buffer;
    size_t len;
};

static struct capture captures[FILES]; /* by place */
static uint64_t clock_us = EPOCH_US, packets;

static void die(const char *path)
{
    perror(path);
    exit(1);
}

static void flush(struct capture *capture)
{
    for (size_t done = 0; done < capture->len;) {
        ssize_t n = write(capture->fd, capture->buffer + done, capture->len - done);

        if (n < 0)
            die(capture->path);
        done += (size_t)n;
    }
    capture->len = 0;
}

/* Room for LEN bytes, which count as written. */
static uint8_t *reserve(struct capture *capture, size_t len)
{
    if (BUFFER_SIZE - capture->len < len)
        flush(capture);
    capture->len += len;
    return capture->buffer + capture->len - len;
}

static void create(struct capture *capture, const char *path)
{
    static const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};

    capture->path = path;
    capture->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    capture->buffer = malloc(BUFFER_SIZE);
    if (capture->fd < 0 || capture->buffer == NULL)
        die(path);
    memcpy(reserve(capture, sizeof(header)), header, sizeof(header));
}

void wire_create(const char *proxy_path, const char *server_path)
{
    create(&captures[0], proxy_path);
    create(&captures[1], server_path);
}

void wire_close(void)
{
    for (int i = 0; i < FILES; i++) {
        flush(&captures[i]);
        if (close(captures[i].fd) != 0)
            die(captures[i].path);
        free(captures[i].buffer);
    }
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static void put_headers(
    uint8_t *record, const struct leg *leg, int side, int flags, uint32_t seq, size_t len)
{
    uint32_t header[4] = {(uint32_t)(clock_us / 1000000), (uint32_t)(clock_us % 1000000),
        (uint32_t)(HEADERS + len), (uint32_t)(HEADERS + len)};
    uint8_t *ip = record + RECORD_HEADER + 14, *tcp = ip + 20;

    memset(record, 0, RECORD_HEADER + HEADERS);
    memcpy(record, header, sizeof(header));
    ip[-2] = 8; /* IPv4 */
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(40 + len));
    ip[8] = 64;
    ip[9] = 6;
    put32(ip + 12, leg->address[side]);
    put32(ip + 16, leg->address[!side]);
    put16(tcp, leg->port[side]);
    put16(tcp + 2, leg->port[!side]);
    put32(tcp + 4, seq);
    put32(tcp + 8, (flags & WIRE_ACK) != 0 ? leg->next[!side] : 0);
    tcp[12] = 0x50;
    tcp[13] = (uint8_t)flags;
}

void wire_segment(
    const struct leg *leg, int side, int flags, uint32_t seq, const char *data, size_t len)
{
    for (int i = 0; i < FILES; i++) {
        uint8_t *record;

        if ((leg->places & 1u << i) == 0)
            continue;
        record = reserve(&captures[i], RECORD_HEADER + HEADERS + len);
        put_headers(record, leg, side, flags, seq, len);
        memcpy(record + RECORD_HEADER + HEADERS, data, len);
        packets++;
    }
    clock_us++;
}

void wire_send(struct leg *leg, int side, int flags, const char *data, size_t len)
{
    wire_segment(leg, side, flags, leg->next[side], data, len);
    leg->next[side] += (uint32_t)len + ((flags & (WIRE_SYN | WIRE_FIN)) != 0);
}

void wire_shake_hands(struct leg *leg)
{
    wire_send(leg, 0, WIRE_SYN, "", 0);
    wire_send(leg, 1, WIRE_SYN | WIRE_ACK, "", 0);
    wire_send(leg, 0, WIRE_ACK, "", 0);
}

void wire_say_goodbye(struct leg *leg)
{
    wire_send(leg, 0, WIRE_FIN | WIRE_ACK, "", 0);
    wire_send(leg, 1, WIRE_FIN | WIRE_ACK, "", 0);
    wire_send(leg, 0, WIRE_ACK, "", 0);
}

uint64_t wire_now_us(void)
{
    return clock_us;
}

uint64_t wire_packets(void)
{
    return packets;
}
