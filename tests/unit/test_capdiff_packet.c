/* packet.h: link layers, lengths from the IP header, and headers that do not hold together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pcap/dlt.h>

#include "capturer/capdiff/fragments.h"
#include "capturer/capdiff/packet.h"
#include "tests/unit/pcap_builder.h"

static const struct pcap_end client = {0x0a000001, 1234}, server = {0x0a000002, 80};

static size_t hello(uint8_t *frame)
{
    return pcap_frame(frame, client, server, 7, 9, PCAP_ACK, "hello", 5);
}

static void assert_hello(enum packet_kind kind, const struct segment *segment)
{
    assert_int_equal(kind, PACKET_TCP);
    assert_int_equal(segment->len, 5);
    assert_int_equal(segment->wire_len, 5);
    assert_memory_equal(segment->payload, "hello", 5);
    assert_int_equal(segment->seq, 7);
    assert_int_equal(segment->ack, 9);
    assert_int_equal(segment->flags, SEGMENT_ACK);
    assert_int_equal(segment->from.port, 1234);
    assert_int_equal(segment->to.port, 80);
}

static void test_every_link_layer(void **state)
{
    static const uint8_t sll[16] = {[14] = 8}, sll2[20] = {8}, null[4] = {2};
    static const uint8_t vlan[18] = {[12] = 0x81, [15] = 5, [16] = 8};
    static const struct {
        int link;
        const uint8_t *header;
        size_t len;
    } cases[] = {{DLT_LINUX_SLL, sll, 16}, {DLT_LINUX_SLL2, sll2, 20}, {DLT_NULL, null, 4},
        {DLT_LOOP, null, 4}, {DLT_EN10MB, vlan, 18}, {DLT_RAW, NULL, 0}, {DLT_IPV4, NULL, 0}};
    uint8_t frame[128], other[128];
    size_t len = hello(frame);
    struct segment segment;

    (void)state;
    assert_hello(packet_decode(DLT_EN10MB, frame, len, len, &segment), &segment);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].len > 0)
            memcpy(other, cases[i].header, cases[i].len);
        memcpy(other + cases[i].len, frame + 14, len - 14);
        assert_true(packet_link_known(cases[i].link));
        assert_hello(packet_decode(cases[i].link, other, len - 14 + cases[i].len,
                         len - 14 + cases[i].len, &segment),
            &segment);
    }
    assert_false(packet_link_known(DLT_IEEE802_11));
}

/* A device of type TYPE (if_arp.h), and a packet of that kind (packet(7)). */
static uint8_t way_of(int link, uint8_t type, uint8_t packet)
{
    uint8_t frame[128], other[128] = {0};
    size_t len = hello(frame), header = link == DLT_LINUX_SLL ? 16 : 20;
    struct segment segment;

    if (link == DLT_LINUX_SLL) {
        other[1] = packet;
        other[2] = type == 0 ? 3 : 0;
        other[3] = type == 0 ? 4 : type;
        other[14] = 8;
    } else {
        other[0] = 8;
        other[8] = type == 0 ? 3 : 0;
        other[9] = type == 0 ? 4 : type;
        other[10] = packet;
    }
    memcpy(other + header, frame + 14, len - 14);
    assert_hello(
        packet_decode(link, other, len - 14 + header, len - 14 + header, &segment), &segment);
    return segment.way;
}

static void test_the_way_that_cooked_headers_tell(void **state)
{
    static const int links[] = {DLT_LINUX_SLL, DLT_LINUX_SLL2};
    static const uint8_t loopback = 0, ethernet = 1;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(way_of(links[i], ethernet, 0), WAY_IN);
        assert_int_equal(way_of(links[i], ethernet, 4), WAY_OUT);
        assert_int_equal(way_of(links[i], ethernet, 3), WAY_UNKNOWN); /* to another host */
        assert_int_equal(way_of(links[i], loopback, 0), WAY_UNKNOWN);
    }
}

static void test_padding_is_no_data(void **state)
{
    uint8_t frame[128];
    size_t len = hello(frame);
    struct segment segment;

    (void)state;
    memset(frame + len, 0xaa, 40);
    assert_hello(packet_decode(DLT_EN10MB, frame, len + 40, len + 40, &segment), &segment);
}

static void test_length_zero_is_a_giant(void **state)
{
    uint8_t frame[128];
    size_t len = hello(frame);
    struct segment segment;

    (void)state;
    frame[16] = frame[17] = 0;
    assert_hello(packet_decode(DLT_EN10MB, frame, len, len, &segment), &segment);
}

static void test_snaplen_leaves_a_hole(void **state)
{
    uint8_t frame[128];
    size_t len = hello(frame);
    struct segment segment;

    (void)state;
    assert_int_equal(packet_decode(DLT_EN10MB, frame, len - 3, len, &segment), PACKET_TCP);
    assert_int_equal(segment.len, 2);
    assert_int_equal(segment.wire_len, 5);
}

static void test_ipv6_with_an_extension(void **state)
{
    uint8_t packet[40 + 8 + 25] = {
        0x60, [5] = 8 + 25, [6] = 60, [7] = 64, [23] = 1, [39] = 2, [40] = 6, [48] = 0x12, 0x34, 0,
        80, [60] = 0x50, SEGMENT_ACK};
    struct segment segment;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        packet[68 + i] = (uint8_t) "hello"[i];
    assert_int_equal(
        packet_decode(DLT_RAW, packet, sizeof(packet), sizeof(packet), &segment), PACKET_TCP);
    assert_true(segment.from.ipv6);
    assert_int_equal(segment.from.address[15], 1);
    assert_int_equal(segment.from.port, 0x1234);
    assert_int_equal(segment.len, 5);
}

/* A jumbogram says its length in a hop-by-hop option (RFC 2675); what lies behind it is no data. */
static void test_jumbogram(void **state)
{
    uint8_t packet[40 + 8 + 25 + 6] = {0x60, [6] = 0, [7] = 64, [23] = 1, [39] = 2, [40] = 6,
        [42] = 0xc2, [43] = 4, [47] = 8 + 25, [48] = 0x12, 0x34, 0, 80, [60] = 0x50, SEGMENT_ACK};
    struct segment segment;

    (void)state;
    assert_int_equal(
        packet_decode(DLT_RAW, packet, sizeof(packet), sizeof(packet), &segment), PACKET_TCP);
    assert_int_equal(segment.len, 5);
}

static void put_together(struct fragments *fragments, const uint8_t *frame, size_t len, bool whole)
{
    struct segment segment;
    const uint8_t *payload;
    size_t size;

    assert_int_equal(packet_decode(DLT_EN10MB, frame, len, len, &segment), PACKET_FRAGMENT);
    assert_int_equal(fragments_take(fragments, &segment, &payload, &size), whole);
    if (!whole)
        return;
    assert_int_equal(size, 25);
    assert_int_equal(packet_decode_payload(6, payload, size, &segment), PACKET_TCP);
    assert_memory_equal(segment.payload, "hello", 5);
}

static void test_fragments_put_together(void **state)
{
    uint8_t frame[128], first[128], last[128];
    size_t len = hello(frame);
    struct fragments *fragments = fragments_new();

    (void)state;
    memcpy(first, frame, 14 + 20 + 16);
    first[17] = 20 + 16;
    first[20] = 0x20;
    memcpy(last, frame, 14 + 20);
    memcpy(last + 14 + 20, frame + 14 + 20 + 16, len - 14 - 20 - 16);
    last[17] = 20 + 9;
    last[21] = 2;
    put_together(fragments, last, 14 + 20 + 9, false);
    put_together(fragments, last, 14 + 20 + 9, false); /* recorded twice */
    put_together(fragments, first, 14 + 20 + 16, true);
    put_together(fragments, first, 14 + 20 + 16, false);
    assert_int_equal(fragments_lost(fragments), 0);
    first[40] ^= 1; /* other bytes: the number is used again */
    put_together(fragments, first, 14 + 20 + 16, false);
    first[40] ^= 1; /* other bytes for the same place: nobody knows which were taken */
    put_together(fragments, first, 14 + 20 + 16, false);
    assert_int_equal(fragments_lost(fragments), 2);
    fragments_free(fragments);
}

static void test_fragments_and_others(void **state)
{
    uint8_t frame[128];
    size_t len = hello(frame);
    struct segment segment;

    (void)state;
    frame[20] = 0x20; /* more fragments */
    assert_int_equal(packet_decode(DLT_EN10MB, frame, len, len, &segment), PACKET_FRAGMENT);
    frame[20] = 0;
    frame[23] = 17; /* UDP */
    assert_int_equal(packet_decode(DLT_EN10MB, frame, len, len, &segment), PACKET_OTHER);
    frame[12] = 0x08;
    frame[13] = 0x06; /* ARP */
    assert_int_equal(packet_decode(DLT_EN10MB, frame, len, len, &segment), PACKET_OTHER);
}

/* Every prefix, and every byte set to 0 and to 255: no read outside, no length that lies. */
static void test_hostile_headers(void **state)
{
    static const int links[] = {
        DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL, DLT_RAW, DLT_IPV6};
    uint8_t frame[128];
    size_t len = hello(frame);
    struct segment segment;

    (void)state;
    for (size_t link = 0; link < sizeof(links) / sizeof(links[0]); link++) {
        for (size_t i = 0; i <= len; i++) {
            uint8_t kept = frame[i];

            for (int value = 0; value < 256; value += 51) {
                frame[i] = (uint8_t)value;
                if (packet_decode(links[link], frame, len, len, &segment) == PACKET_TCP)
                    assert_true(segment.payload + segment.len <= frame + len);
                (void)packet_decode(links[link], frame, i, len, &segment);
            }
            frame[i] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_link_layer),
        cmocka_unit_test(test_the_way_that_cooked_headers_tell),
        cmocka_unit_test(test_padding_is_no_data),
        cmocka_unit_test(test_length_zero_is_a_giant),
        cmocka_unit_test(test_snaplen_leaves_a_hole),
        cmocka_unit_test(test_ipv6_with_an_extension),
        cmocka_unit_test(test_jumbogram),
        cmocka_unit_test(test_fragments_put_together),
        cmocka_unit_test(test_fragments_and_others),
        cmocka_unit_test(test_hostile_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
