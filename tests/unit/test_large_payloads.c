/* A payload capture of reads that are larger than a packet: all bytes, in packets that fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "mitm_proxy/observe_pcap.h"
#include "mitm_proxy/synthetic_packet.h"

#define TCP_HEADER 20
#define MOST (1UL << 20) /* bytes of a case */

static char path[] = "/tmp/test_large_payloads_XXXXXX";
static char sent[MOST], captured[MOST];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/test_large_payloads_XXXXXX");
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(i * 2654435761U >> 24);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static struct connection a_connection(const char *host)
{
    struct connection connection = {.id = 7};
    struct hostport at = {.port = 8000};
    snprintf(at.host, sizeof at.host, "%s", host);
    for (int leg = 0; leg < 2; leg++) {
        assert_int_equal(hostport_literal(&at, &connection.legs[leg].opener), 0);
        assert_int_equal(hostport_literal(&at, &connection.legs[leg].server), 0);
    }
    return connection;
}

/* One packet's payload, appended to what is captured; its length. */
static size_t take_payload(const struct pcap_pkthdr *packet, const unsigned char *ip, size_t at)
{
    static uint32_t first;
    size_t headers = (ip[0] >> 4 == 6 ? 40 : 20) + TCP_HEADER;
    const unsigned char *tcp = ip + headers - TCP_HEADER;
    uint32_t seq = (uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7];
    size_t len = packet->caplen - headers;
    first = at == 0 ? seq : first;
    assert_int_equal(packet->caplen, packet->len);
    assert_int_equal(seq, (uint32_t)(first + at));
    assert_int_equal(tcp[13], TCP_PSH | TCP_ACK);
    assert_in_range(len, 1, SYNTHETIC_PAYLOAD_MAX);
    assert_true(at + len <= sizeof captured);
    memcpy(captured + at, tcp + TCP_HEADER, len);
    return len;
}

static void check_capture(size_t len, size_t packets)
{
    char err[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, err);
    struct pcap_pkthdr *packet;
    const unsigned char *data;
    size_t at = 0;
    assert_non_null(pcap);
    while (pcap_next_ex(pcap, &packet, &data) == 1) {
        at += take_payload(packet, data, at);
        packets--;
    }
    assert_int_equal(at, len);
    assert_int_equal(packets, 0);
    assert_memory_equal(captured, sent, len);
    pcap_close(pcap);
}

static void test_sizes(void **state)
{
    static const struct {
        const char *host;
        size_t runs[3], packets;
    } cases[] = {
        {"127.0.0.1", {16383}, 1},
        {"127.0.0.1", {16384}, 1},
        {"127.0.0.1", {65000}, 1},
        {"127.0.0.1", {65001}, 2},
        {"::1", {65001}, 2},
        {"127.0.0.1", {130000}, 2},
        {"127.0.0.1", {3, 130000, 5}, 4},
        {"127.0.0.1", {16384, 16384, 7}, 3},
        {"127.0.0.1", {260000}, 4},
        {"127.0.0.1", {260001}, 5},
        {"::1", {276384, 99}, 6},
        {"::ffff:10.0.0.1", {900001}, 14},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct connection connection = a_connection(cases[i].host);
        uv_buf_t runs[3];
        size_t len = 0;
        int err;
        assert_int_equal(truncate(path, 0), 0);
        struct observe_pcap *pcap = observe_pcap_new(path, &err);
        assert_non_null(pcap);
        struct observer observer = observe_pcap_observer(pcap);
        for (int j = 0; j < 3; j++) {
            runs[j] = uv_buf_init(sent + len, (unsigned int)cases[i].runs[j]);
            len += cases[i].runs[j];
        }
        observer.bytes(observer.state, &connection, LEG_CLIENT, DIRECTION_REQUEST, runs, 3, 1);
        observer.flush(observer.state);
        assert_int_equal(observe_pcap_file(pcap)->written, cases[i].packets);
        check_capture(len, cases[i].packets);
        observer.close(observer.state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sizes, make_path, remove_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
