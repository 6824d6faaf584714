#include "capturer/capdiff/packet.h"

#include <pcap/dlt.h>
#include <string.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_SVLAN 0x88a8
#define ETHERTYPE_SVLAN_OLD 0x9100
#define ETHERTYPE_PPPOE 0x8864 /* the session stage */
#define TAGS_MAX 4
#define DEVICE_LOOPBACK 772 /* ARPHRD_LOOPBACK */

#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057

#define PROTOCOL_TCP 6
#define IPV6_EXTENSIONS_MAX 8
#define IPV6_HOP_BY_HOP 0
#define IPV6_FRAGMENT 44
#define IPV6_AUTHENTICATION 51
#define OPTION_PAD1 0
#define OPTION_JUMBO 0xc2

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

static enum packet_kind take_fragment(struct rest rest, struct segment *segment, uint32_t id,
    uint16_t field, unsigned unit, uint8_t next)
{
    segment->fragment.id = id;
    segment->fragment.offset = unit == 8 ? (field & 0x1fffu) * 8u : field & 0xfff8u;
    segment->fragment.more = (field & (unit == 8 ? 0x2000u : 1u)) != 0;
    segment->fragment.next = next;
    segment->payload = rest.data;
    segment->len = rest.len;
    segment->wire_len = rest.wire_len;
    return PACKET_FRAGMENT;
}

static enum packet_kind decode_ipv4(struct rest rest, struct segment *segment)
{
    const uint8_t *ip = rest.data;
    size_t header, total;

    if (rest.len < 20)
        return PACKET_MALFORMED;
    header = (size_t)(ip[0] & 0x0f) * 4;
    total = get16(ip + 2);
    if (header < 20 || (total != 0 && total < header))
        return PACKET_MALFORMED;
    if (ip[9] != PROTOCOL_TCP)
        return PACKET_OTHER;
    memcpy(segment->from.address, ip + 12, 4);
    memcpy(segment->to.address, ip + 16, 4);
    if (total != 0)
        rest_limit(&rest, total);
    if (!rest_skip(&rest, header))
        return PACKET_MALFORMED;
    if ((get16(ip + 6) & 0x3fff) != 0) /* more fragments, or an offset */
        return take_fragment(rest, segment, get16(ip + 4), get16(ip + 6), 8, PROTOCOL_TCP);
    return decode_tcp(rest, segment);
}

static bool is_extension(uint8_t next)
{
    switch (next) {
    case IPV6_HOP_BY_HOP:
    case IPV6_FRAGMENT:
    case IPV6_AUTHENTICATION:
    case 43:  /* routing */
    case 60:  /* destination options */
    case 135: /* mobility */
    case 139: /* host identity */
    case 140: /* shim6 */
        return true;
    default:
        return false;
    }
}

/* The length of a jumbogram, from its hop-by-hop options (RFC 2675 §2); 0: not said. */
static size_t jumbo_length(const uint8_t *options, size_t len)
{
    for (size_t at = 2; at < len;) {
        if (options[at] == OPTION_PAD1) {
            at++;
            continue;
        }
        if (len - at < 2)
            return 0;
        if (options[at] == OPTION_JUMBO && options[at + 1] == 4 && len - at >= 6)
            return get32(options + at + 2);
        at += 2 + (size_t)options[at + 1];
    }
    return 0;
}

static size_t extension_length(uint8_t type, const uint8_t *header)
{
    if (type == IPV6_FRAGMENT)
        return 8;
    return type == IPV6_AUTHENTICATION ? ((size_t)header[1] + 2) * 4 : ((size_t)header[1] + 1) * 8;
}

/*
 * Walks the extension headers (RFC 8200 §4) to the TCP header. SIZED: the packet's length is known;
 * else a jumbogram's option may say it.
 */
static enum packet_kind decode_extensions(
    struct rest rest, uint8_t next, bool sized, struct segment *segment)
{
    for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
        const uint8_t *header = rest.data;
        uint8_t type = next;
        size_t len;

        if (next == PROTOCOL_TCP)
            return decode_tcp(rest, segment);
        if (!is_extension(next))
            return PACKET_OTHER;
        if (rest.len < 8)
            return PACKET_MALFORMED;
        len = extension_length(type, header);
        next = header[0];
        if (type == IPV6_HOP_BY_HOP && !sized && rest.len >= len && jumbo_length(header, len) != 0)
            rest_limit(&rest, jumbo_length(header, len));
        if (!rest_skip(&rest, len))
            return PACKET_MALFORMED;
        if (type == IPV6_FRAGMENT && (get16(header + 2) & 0xfff9) != 0)
            return next == PROTOCOL_TCP || is_extension(next)
                       ? take_fragment(rest, segment, get32(header + 4), get16(header + 2), 1, next)
                       : PACKET_OTHER;
    }
    return PACKET_OTHER;
}

enum packet_kind packet_decode_payload(
    uint8_t next, const uint8_t *data, size_t len, struct segment *segment)
{
    struct rest rest = {data, len, len};

    return decode_extensions(rest, next, true, segment);
}

static enum packet_kind decode_ipv6(struct rest rest, struct segment *segment)
{
    const uint8_t *ip = rest.data;
    size_t payload;

    if (rest.len < 40)
        return PACKET_MALFORMED;
    payload = get16(ip + 4);
    memcpy(segment->from.address, ip + 8, 16);
    memcpy(segment->to.address, ip + 24, 16);
    segment->from.ipv6 = segment->to.ipv6 = true;
    if (payload != 0)
        rest_limit(&rest, 40 + payload);
    (void)rest_skip(&rest, 40);
    return decode_extensions(rest, ip[6], payload != 0, segment);
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

static bool is_tag(uint16_t type)
{
    return type == ETHERTYPE_VLAN || type == ETHERTYPE_SVLAN || type == ETHERTYPE_SVLAN_OLD;
}

/* PPPoE's header of six bytes, which has a length of its own, and PPP's protocol. */
static enum packet_kind decode_pppoe(struct rest rest, struct segment *segment)
{
    uint16_t protocol;

    if (rest.len < 8)
        return PACKET_MALFORMED;
    rest_limit(&rest, 6 + (size_t)get16(rest.data + 4));
    if (rest.len < 8)
        return PACKET_MALFORMED;
    protocol = get16(rest.data + 6);
    (void)rest_skip(&rest, 8);
    return protocol == PPP_IPV4 || protocol == PPP_IPV6 ? decode_ip(rest, segment) : PACKET_OTHER;
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
    for (int i = 0; i < TAGS_MAX && is_tag(type); i++) {
        if (rest.len < 4)
            return PACKET_MALFORMED;
        type = get16(rest.data + 2);
        (void)rest_skip(&rest, 4);
    }
    if (type == ETHERTYPE_PPPOE)
        return decode_pppoe(rest, segment);
    if (type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
        return PACKET_OTHER;
    return decode_ip(rest, segment);
}

/*
 * From a Linux cooked header: the packet's type (packet(7)), 0 to this host and 4 from it, and the
 * device's. The loopback device has each packet come in, whichever end it is from.
 */
static uint8_t way_of(const struct rest *rest, size_t type_at, size_t device_at)
{
    if (rest->len < 12 || get16(rest->data + device_at) == DEVICE_LOOPBACK)
        return WAY_UNKNOWN;
    switch (rest->data[type_at]) {
    case 0:
        return WAY_IN;
    case 4:
        return WAY_OUT;
    default:
        return WAY_UNKNOWN;
    }
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
        segment->way = way_of(&rest, 1, 2);
        return decode_ether(rest, 16, 14, segment);
    case DLT_LINUX_SLL2:
        segment->way = way_of(&rest, 10, 8);
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
