/*
 * The two captures that the bench makes: what the proxy's host saw, and what the server's did.
 * Packets are Ethernet, IPv4 and TCP, a microsecond apart. A file that cannot be written ends the
 * program with status 1.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_MSS 1448
#define WIRE_DATA_MAX 65000 /* bytes in one packet */

enum wire_flags {
    WIRE_FIN = 1,
    WIRE_SYN = 2,
    WIRE_ACK = 16,
};

enum wire_place {
    AT_PROXY = 1,
    AT_SERVER = 2,
};

/* A TCP connection: side 0 opened it. */
struct leg {
    uint32_t address[2];
    uint16_t port[2];
    uint32_t next[2]; /* sequence number of the next byte, by sender */
    unsigned places;  /* where its packets are recorded */
};

void wire_create(const char *proxy_path, const char *server_path);
void wire_close(void);

/* A segment with the number SEQ; the leg stays where it is. */
void wire_segment(
    const struct leg *leg, int side, int flags, uint32_t seq, const char *data, size_t len);

/* The next segment; the leg moves on. */
void wire_send(struct leg *leg, int side, int flags, const char *data, size_t len);

void wire_shake_hands(struct leg *leg);
void wire_say_goodbye(struct leg *leg);

/* The stamp of the next packet, in microseconds since 1970, and the packets so far in both files.
 */
uint64_t wire_now_us(void);
uint64_t wire_packets(void);

#endif
