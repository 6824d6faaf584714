/*
 * Writes the two captures of a lab that is busy with keep-alive HTTP: what the proxy saw, both
 * legs, and what the server saw. Every exchange is another one, and all is well with each of them.
 *
 * usage: capdiff_generate PROXY.pcap SERVER.pcap CONNECTIONS EXCHANGES BODY [TOGETHER]
 * EXCHANGES on each of the connections, of which TOGETHER are open at a time; BODY: bytes, each
 * way.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS 54 /* Ethernet, IPv4, TCP */
#define MESSAGE_MAX 65536
#define FIN 1
#define SYN 2
#define ACK 16

struct leg {
    uint32_t address[2];
    uint16_t port[2];
    uint32_t next[2];
};

static FILE *proxy, *server;
static uint64_t clock_us = 1767225600000000;

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

/* At the server too, where that is given. */
static void packet(struct leg *leg, int side, int flags, const char *data, size_t len, int seen)
{
    static uint8_t record[16 + HEADERS + MESSAGE_MAX];
    uint32_t header[4] = {(uint32_t)(clock_us / 1000000), (uint32_t)(clock_us % 1000000),
        (uint32_t)(HEADERS + len), (uint32_t)(HEADERS + len)};
    uint8_t *ip = record + 16 + 14, *tcp = ip + 20;

    clock_us++;
    memcpy(record, header, sizeof(header));
    record[16 + 12] = 8; /* IPv4 */
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(40 + len));
    ip[8] = 64;
    ip[9] = 6;
    put32(ip + 12, leg->address[side]);
    put32(ip + 16, leg->address[!side]);
    put16(tcp, leg->port[side]);
    put16(tcp + 2, leg->port[!side]);
    put32(tcp + 4, leg->next[side]);
    put32(tcp + 8, (flags & ACK) != 0 ? leg->next[!side] : 0);
    tcp[12] = 0x50;
    tcp[13] = (uint8_t)flags;
    memcpy(tcp + 20, data, len);
    leg->next[side] += (uint32_t)len + ((flags & (SYN | FIN)) != 0);
    fwrite(record, 1, 16 + HEADERS + len, proxy);
    if (seen)
        fwrite(record, 1, 16 + HEADERS + len, server);
}

static void open_leg(struct leg *leg, int seen)
{
    packet(leg, 0, SYN, "", 0, seen);
    packet(leg, 1, SYN | ACK, "", 0, seen);
    packet(leg, 0, ACK, "", 0, seen);
}

static void close_leg(struct leg *leg, int seen)
{
    packet(leg, 0, FIN | ACK, "", 0, seen);
    packet(leg, 1, FIN | ACK, "", 0, seen);
    packet(leg, 0, ACK, "", 0, seen);
}

static size_t message(char *out, const char *start, long number, size_t body)
{
    char *padding;
    size_t len;
    char json[256];
    int n = snprintf(json, sizeof(json),
        "{\"id\":\"call-%08ld\",\"type\":\"tool_call\",\"tool_name\":\"analyze_dependency\","
        "\"arguments\":{\"padding\":\"",
        number);

    if (body < (size_t)n + 3)
        body = (size_t)n + 3;
    len = (size_t)sprintf(out,
        "%s\r\nContent-Type: application/json\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        start, body, json);
    padding = out + len;
    memset(padding, 'x', body - (size_t)n - 3);
    memcpy(out + len + body - (size_t)n - 3, "\"}}", 3);
    return len + body - (size_t)n;
}

static void exchange(struct leg *client, struct leg *upstream, long number, size_t body)
{
    static char data[MESSAGE_MAX];
    size_t len = message(data, "POST /tool HTTP/1.1\r\nHost: agent-b:8000", number, body);

    packet(client, 0, ACK, data, len, 0);
    packet(upstream, 0, ACK, data, len, 1);
    len = message(data, "HTTP/1.1 200 OK\r\nServer: bench", number, body);
    packet(upstream, 1, ACK, data, len, 1);
    packet(client, 1, ACK, data, len, 0);
    packet(upstream, 0, ACK, "", 0, 1);
    packet(client, 0, ACK, "", 0, 0);
}

static FILE *create(const char *path)
{
    static const uint32_t header[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 262144, 1};
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    setvbuf(file, NULL, _IOFBF, 1 << 20);
    fwrite(header, 1, sizeof(header), file);
    return file;
}

int main(int argc, char **argv)
{
    long connections, exchanges, together, number = 0;
    struct leg *legs;
    size_t body;

    if (argc < 6) {
        fprintf(stderr, "usage: %s PROXY.pcap SERVER.pcap CONNECTIONS EXCHANGES BODY [TOGETHER]\n",
            argv[0]);
        return 2;
    }
    proxy = create(argv[1]);
    server = create(argv[2]);
    connections = atol(argv[3]);
    exchanges = atol(argv[4]);
    body = (size_t)atol(argv[5]) % (MESSAGE_MAX - 1024);
    together = argc > 6 ? atol(argv[6]) : 64;
    legs = calloc((size_t)together, 2 * sizeof(*legs));
    for (long first = 0; first < connections; first += together) {
        long count = connections - first < together ? connections - first : together;

        for (long i = 0; i < count; i++) {
            uint32_t at = (uint32_t)(first + i), address = 0x0a000000 + at / 50000;
            uint16_t port = (uint16_t)(10000 + at % 50000);

            legs[2 * i] =
                (struct leg){{address, 0xac100003}, {port, 8080}, {at * 7919, at * 104729}};
            legs[2 * i + 1] = (struct leg){{0xac100003 + ((at / 50000) << 8), 0xac100002},
                {port, 8000}, {at * 15485863, at * 32452843}};
            open_leg(&legs[2 * i], 0);
            open_leg(&legs[2 * i + 1], 1);
        }
        for (long n = 0; n < exchanges; n++) {
            for (long i = 0; i < count; i++)
                exchange(&legs[2 * i], &legs[2 * i + 1], number++, body);
        }
        for (long i = 0; i < count; i++) {
            close_leg(&legs[2 * i], 0);
            close_leg(&legs[2 * i + 1], 1);
        }
    }
    free(legs);
    return fclose(proxy) != 0 || fclose(server) != 0;
}
