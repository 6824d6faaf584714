/*
 * Builds captures in memory: TCP over IPv4 in a pcap file (pcap-savefile(5)), for the tests of
 * capdiff.
 */
#ifndef TESTS_PCAP_BUILDER_H
#define TESTS_PCAP_BUILDER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

#define PCAP_FRAME_MAX 65600

/* An IPv4 end in host order: 0x7f000001 is 127.0.0.1. */
struct pcap_end {
    uint32_t address;
    uint16_t port;
};

struct pcap_builder {
    struct buf file;
    uint64_t time_us; /* of the next packet; each one moves it on by 10 */
};

/* One TCP connection between two ends, whose numbers go on by themselves. */
struct pcap_connection {
    struct pcap_end ends[2]; /* [0] is the client */
    uint32_t next[2];
};

#define PCAP_FIN 0x01
#define PCAP_SYN 0x02
#define PCAP_RST 0x04
#define PCAP_ACK 0x10

void pcap_builder_init(struct pcap_builder *builder);
void pcap_builder_deinit(struct pcap_builder *builder);

/* Writes the file to PATH. */
void pcap_builder_write(const struct pcap_builder *builder, const char *path);

/* An Ethernet frame with one segment; FRAME has PCAP_FRAME_MAX bytes. Returns its length. */
size_t pcap_frame(uint8_t *frame, struct pcap_end from, struct pcap_end to, uint32_t seq,
    uint32_t ack, uint8_t flags, const void *data, size_t len);

void pcap_builder_segment(struct pcap_builder *builder, struct pcap_end from, struct pcap_end to,
    uint32_t seq, uint32_t ack, uint8_t flags, const void *data, size_t len);

/* The handshake. */
void pcap_connection_open(struct pcap_builder *builder, struct pcap_connection *connection,
    struct pcap_end client, struct pcap_end server, uint32_t isn);

/* SIDE says TEXT in one segment, and the other acknowledges it. */
void pcap_connection_say(
    struct pcap_builder *builder, struct pcap_connection *connection, int side, const char *text);

/* Both close. */
void pcap_connection_close(struct pcap_builder *builder, struct pcap_connection *connection);

#endif
