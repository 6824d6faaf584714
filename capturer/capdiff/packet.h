/*
 * One recorded frame → one TCP segment: link layer, IPv4 (RFC 791) or IPv6 (RFC 8200), TCP
 * (RFC 9293).
 *
 * Link types (pcap-linktype(7)): Ethernet, Linux cooked v1 and v2, BSD loopback (NULL and LOOP),
 * raw IP; in the first three with VLAN tags (802.1Q, 802.1ad) and PPPoE (RFC 2516). Linux cooked
 * headers say which way the packet went. The payload's
 * length comes from the IP header, never from the frame, so Ethernet padding is not data; an IP
 * length of 0 is a giant made by segmentation offload, whose length is the frame's, or a
 * jumbogram's (RFC 2675). Checksums are not judged: a host that offloads them shows wrong ones.
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

/* Which way a packet passed the host that recorded it. */
enum way {
    WAY_UNKNOWN,
    WAY_IN,
    WAY_OUT,
};

/* Which piece of which IP packet. */
struct fragment {
    uint32_t id;
    uint32_t offset; /* of the piece in the packet's payload, bytes */
    bool more;       /* it is not the last one */
    uint8_t next;    /* the protocol, or extension header, that the payload begins with */
};

struct segment {
    struct endpoint from, to;
    uint64_t time_ns; /* since 1970; with PACKET and PLACE set by the reader */
    uint64_t packet;  /* counted from 1 in its file */
    uint64_t place;   /* of its record in the unpacked file */
    uint32_t seq, ack;
    uint8_t flags;            /* SEGMENT_* */
    uint8_t way;              /* enum way */
    const uint8_t *payload;   /* borrowed from the frame */
    size_t len;               /* payload bytes recorded */
    size_t wire_len;          /* payload bytes sent: more than len where the snaplen cut it */
    struct fragment fragment; /* PACKET_FRAGMENT only: payload is the piece; ends have no port */
};

enum packet_kind {
    PACKET_TCP,
    PACKET_OTHER,     /* not IP, or not TCP */
    PACKET_FRAGMENT,  /* a piece of an IP packet: see fragments.h */
    PACKET_MALFORMED, /* headers cut by the snaplen, or lengths that contradict each other */
};

/* True for the link types above; LINK is libpcap's DLT_ value. */
bool packet_link_known(int link);

/*
 * Reads a frame of which LEN of WIRE_LEN bytes were recorded. SEGMENT is set on PACKET_TCP and
 * PACKET_FRAGMENT, except for time and place, which are 0.
 */
enum packet_kind packet_decode(
    int link, const uint8_t *data, size_t len, size_t wire_len, struct segment *segment);

/*
 * Reads the payload of an IP packet that was put together from fragments; NEXT says what it begins
 * with. The ends' addresses in SEGMENT are kept.
 */
enum packet_kind packet_decode_payload(
    uint8_t next, const uint8_t *data, size_t len, struct segment *segment);

#endif
