/*
 * IP and TCP headers for bytes that a socket carried (RFC 791, RFC 8200, RFC 9293).
 */
#ifndef MITM_PROXY_SYNTHETIC_PACKET_H
#define MITM_PROXY_SYNTHETIC_PACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SYNTHETIC_HEADERS_MAX 60    /* IPv6 and TCP */
#define SYNTHETIC_PAYLOAD_MAX 65000 /* what one packet may carry */

enum tcp_flag {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
};

struct synthetic_segment {
    const struct sockaddr_storage *from, *to;
    uint32_t seq, ack;
    uint8_t flags;
    size_t payload_len;
};

/*
 * Writes the headers of a segment into OUT and returns their length. The IPv4 header's checksum is
 * right, the TCP one is 0: not computed. An IPv4-mapped IPv6 address counts as IPv4.
 */
size_t synthetic_headers(
    const struct synthetic_segment *segment, unsigned char out[SYNTHETIC_HEADERS_MAX]);

#endif
