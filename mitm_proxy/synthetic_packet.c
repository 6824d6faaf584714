#include "mitm_proxy/synthetic_packet.h"

#include <netinet/in.h>
#include <string.h>

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define TCP_HEADER 20
#define HOP_LIMIT 64

static unsigned char *put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint32_t value)
{
    return put16(put16(at, value >> 16), value & 0xffff);
}

/* The four bytes of an IPv4 or IPv4-mapped address, else NULL. */
static const void *ipv4_bytes(const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *in6 = (const void *)address;
    if (address->ss_family == AF_INET)
        return &((const struct sockaddr_in *)address)->sin_addr;
    return IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? &in6->sin6_addr.s6_addr[12] : NULL;
}

static unsigned port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

/* As it stands in the header: such a sum is the same in either byte order (RFC 1071 §2). */
static uint16_t ipv4_checksum(const unsigned char *header)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < IPV4_HEADER; i += 4) {
        uint32_t word;
        memcpy(&word, header + i, sizeof word);
        sum += word;
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

static unsigned char *put_ipv4(
    unsigned char *at, const struct synthetic_segment *segment, const void *from, const void *to)
{
    memset(at, 0, IPV4_HEADER);
    at[0] = 0x45;
    put16(at + 2, (unsigned)(IPV4_HEADER + TCP_HEADER + segment->payload_len));
    at[6] = 0x40; /* do not fragment */
    at[8] = HOP_LIMIT;
    at[9] = IPPROTO_TCP;
    memcpy(at + 12, from, 4);
    memcpy(at + 16, to, 4);
    uint16_t checksum = ipv4_checksum(at);
    memcpy(at + 10, &checksum, sizeof checksum);
    return at + IPV4_HEADER;
}

static unsigned char *put_ipv6(unsigned char *at, const struct synthetic_segment *segment)
{
    memset(at, 0, IPV6_HEADER);
    at[0] = 0x60;
    put16(at + 4, (unsigned)(TCP_HEADER + segment->payload_len));
    at[6] = IPPROTO_TCP;
    at[7] = HOP_LIMIT;
    memcpy(at + 8, &((const struct sockaddr_in6 *)segment->from)->sin6_addr, 16);
    memcpy(at + 24, &((const struct sockaddr_in6 *)segment->to)->sin6_addr, 16);
    return at + IPV6_HEADER;
}

size_t synthetic_headers(
    const struct synthetic_segment *segment, unsigned char out[SYNTHETIC_HEADERS_MAX])
{
    const void *from = ipv4_bytes(segment->from), *to = ipv4_bytes(segment->to);
    unsigned char *at = from && to ? put_ipv4(out, segment, from, to) : put_ipv6(out, segment);
    at = put16(at, port_of(segment->from));
    at = put16(at, port_of(segment->to));
    at = put32(at, segment->seq);
    at = put32(at, segment->flags & TCP_ACK ? segment->ack : 0);
    *at++ = (TCP_HEADER / 4) << 4;
    *at++ = segment->flags;
    at = put16(at, 0xffff); /* window */
    at = put32(at, 0);      /* checksum and urgent pointer */
    return (size_t)(at - out);
}
