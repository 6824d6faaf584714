/*
 * One recorded frame → one TCP segment: link layer, IPv4 (RFC 791) or IPv6 (RFC 8200), TCP
 * (RFC 9293).
 *
 * Link types (pcap-linktype(7)): Ethernet with at most one VLAN tag, Linux cooked v1 and v2, BSD
 * loopback (NULL and LOOP), raw IP. The payload's length comes from the IP header, never from the
 * frame, so Ethernet padding is not data; an IP length of 0 is a giant made by segmentation
 * offload, whose length is the frame's. Checksums are not judged: a host that offloads them shows
 * wrong ones.
 */
#ifndef CAPDIFF_PACKET_H
#define CAPDIFF_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capturer/capdiff/endpoint.h"

#define SEGMENT_FIN 0x01u
#define SEGMENT_SYN 0x02u
#define SEGMENT_RST 0x04u
#define SEGMENT_ACK 0x10u

struct segment {
    struct endpoint from, to;
    uint64_t time_ns; /* since 1970 */
    uint32_t seq, ack;
    uint8_t flags;          /* SEGMENT_* */
    const uint8_t *payload; /* borrowed from the frame */
    size_t len;             /* payload bytes recorded */
    size_t wire_len;        /* payload bytes sent: more than len where the snaplen cut it */
};

enum packet_kind {
    PACKET_TCP,
    PACKET_OTHER,     /* not IP, or not TCP */
    PACKET_FRAGMENT,  /* a piece of an IP packet; not put together */
    PACKET_MALFORMED, /* headers cut by the snaplen, or lengths that contradict each other */
};

/* True for the link types above; LINK is libpcap's DLT_ value. */
bool packet_link_known(int link);

/*
 * Reads a frame of which LEN of WIRE_LEN bytes were recorded. SEGMENT is set on PACKET_TCP, except
 * for time_ns, which is the caller's.
 */
enum packet_kind packet_decode(
    int link, const uint8_t *data, size_t len, size_t wire_len, struct segment *segment);

#endif
