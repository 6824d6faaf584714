#include "capturer/capdiff/packet.h"

#include <pcap/dlt.h>
#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_SVLAN 0x88a8

#define PROTOCOL_TCP 6
#define IPV6_EXTENSIONS_MAX 8

/* What is left of a frame: bytes recorded, and bytes that were on the wire. */
struct rest {
    const uint8_t *data;
    size_t len;
    size_t wire_len;
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static bool rest_skip(struct rest *rest, size_t len)
{
    if (rest->len < len)
        return false;
    rest->data += len;
    rest->len -= len;
    rest->wire_len -= len;
    return true;
}

/* Leaves out what lies behind the first LEN bytes: padding, or a trailer. */
static void rest_limit(struct rest *rest, size_t len)
{
    if (rest->wire_len > len)
        rest->wire_len = len;
    if (rest->len > rest->wire_len)
        rest->len = rest->wire_len;
}

bool packet_link_known(int link)
{
    switch (link) {
    case DLT_EN10MB:
    case DLT_LINUX_SLL:
    case DLT_LINUX_SLL2:
    case DLT_NULL:
    case DLT_LOOP:
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6:
        return true;
    default:
        return false;
    }
}

static enum packet_kind decode_tcp(struct rest rest, struct segment *segment)
{
    size_t header;

    if (rest.len < 20)
        return PACKET_MALFORMED;
    header = (size_t)(rest.data[12] >> 4) * 4;
    segment->from.port = get16(rest.data);
    segment->to.port = get16(rest.data + 2);
    segment->seq = get32(rest.data + 4);
    segment->ack = get32(rest.data + 8);
    segment->flags = rest.data[13];
    if (header < 20 || !rest_skip(&rest, header))
        return PACKET_MALFORMED;
    segment->payload = rest.data;
    segment->len = rest.len;
    segment->wire_len = rest.wire_len;
    return PACKET_TCP;
}

static enum packet_kind decode_ipv4(struct rest rest, struct segment *segment)
{
    size_t header, total;

    if (rest.len < 20)
        return PACKET_MALFORMED;
    header = (size_t)(rest.data[0] & 0x0f) * 4;
    total = get16(rest.data + 2);
    if (header < 20 || (total != 0 && total < header))
        return PACKET_MALFORMED;
    if (rest.data[9] != PROTOCOL_TCP)
        return PACKET_OTHER;
    if ((get16(rest.data + 6) & 0x3fff) != 0) /* more fragments, or an offset */
        return PACKET_FRAGMENT;
    memcpy(segment->from.address, rest.data + 12, 4);
    memcpy(segment->to.address, rest.data + 16, 4);
    if (total != 0)
        rest_limit(&rest, total);
    if (!rest_skip(&rest, header))
        return PACKET_MALFORMED;
    return decode_tcp(rest, segment);
}

/* Walks the extension headers (RFC 8200 §4) to the TCP header. */
static enum packet_kind skip_extensions(struct rest *rest, uint8_t next)
{
    for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
        if (next == PROTOCOL_TCP)
            return PACKET_TCP;
        if (next != 0 && next != 43 && next != 44 && next != 60)
            return PACKET_OTHER;
        if (rest->len < 8)
            return PACKET_MALFORMED;
        if (next == 44 && (get16(rest->data + 2) & 0xfff9) != 0)
            return PACKET_FRAGMENT;
        size_t len = next == 44 ? 8 : ((size_t)rest->data[1] + 1) * 8;

        next = rest->data[0];
        if (!rest_skip(rest, len))
            return PACKET_MALFORMED;
    }
    return PACKET_OTHER;
}

static enum packet_kind decode_ipv6(struct rest rest, struct segment *segment)
{
    enum packet_kind kind;
    uint8_t next;
    size_t payload;

    if (rest.len < 40)
        return PACKET_MALFORMED;
    payload = get16(rest.data + 4);
    next = rest.data[6];
    memcpy(segment->from.address, rest.data + 8, 16);
    memcpy(segment->to.address, rest.data + 24, 16);
    segment->from.ipv6 = segment->to.ipv6 = true;
    if (payload != 0)
        rest_limit(&rest, 40 + payload);
    if (!rest_skip(&rest, 40))
        return PACKET_MALFORMED;
    kind = skip_extensions(&rest, next);
    return kind == PACKET_TCP ? decode_tcp(rest, segment) : kind;
}

static enum packet_kind decode_ip(struct rest rest, struct segment *segment)
{
    if (rest.len == 0)
        return PACKET_MALFORMED;
    if (rest.data[0] >> 4 == 4)
        return decode_ipv4(rest, segment);
    if (rest.data[0] >> 4 == 6)
        return decode_ipv6(rest, segment);
    return PACKET_OTHER;
}

/* TYPE_AT is where the header of HEADER bytes holds its EtherType. */
static enum packet_kind decode_ether(
    struct rest rest, size_t header, size_t type_at, struct segment *segment)
{
    uint16_t type;

    if (rest.len < header)
        return PACKET_MALFORMED;
    type = get16(rest.data + type_at);
    (void)rest_skip(&rest, header);
    if (type == ETHERTYPE_VLAN || type == ETHERTYPE_SVLAN) {
        if (rest.len < 4)
            return PACKET_MALFORMED;
        type = get16(rest.data + 2);
        (void)rest_skip(&rest, 4);
    }
    if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
        return PACKET_OTHER;
    return decode_ip(rest, segment);
}

enum packet_kind packet_decode(
    int link, const uint8_t *data, size_t len, size_t wire_len, struct segment *segment)
{
    struct rest rest = {data, len, wire_len > len ? wire_len : len};

    memset(segment, 0, sizeof(*segment));
    switch (link) {
    case DLT_EN10MB:
        return decode_ether(rest, 14, 12, segment);
    case DLT_LINUX_SLL:
        return decode_ether(rest, 16, 14, segment);
    case DLT_LINUX_SLL2:
        return decode_ether(rest, 20, 0, segment);
    case DLT_NULL: /* the family before the packet has the recording host's byte order and */
    case DLT_LOOP: /* numbers: the version in the packet itself says the same */
        if (!rest_skip(&rest, 4))
            return PACKET_MALFORMED;
        return decode_ip(rest, segment);
    default:
        return decode_ip(rest, segment);
    }
}
