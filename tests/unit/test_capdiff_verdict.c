/* evidence.h and verdict.h: two captures of one lab in, a verdict out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lab_builder.h"

#define CONNECTIONS LAB_CONNECTIONS
#define ROUNDS 4

static const char *call(char *out, size_t number)
{
    char body[128];

    snprintf(body, sizeof(body), "{\"id\":\"call-%04zu\",\"arguments\":{\"depth\":2}}", number);
    return lab_call(out, "b", body);
}

/* Every connection asks, then every one is answered, and so on: all of them are always busy. */
static void run_calls(struct lab *lab, bool identical)
{
    char text[LAB_MESSAGE];

    for (size_t i = 0; i < CONNECTIONS; i++)
        lab_open_client(lab, i);
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CONNECTIONS; i++)
            lab_client_say(lab, i, 0, call(text, identical ? 1 : round * CONNECTIONS + i));
        for (size_t i = 0; i < CONNECTIONS; i++) {
            if (round == 0)
                lab_open_upstream(lab, i);
            lab_upstream_say(lab, i, 0, call(text, identical ? 1 : round * CONNECTIONS + i));
        }
        for (size_t i = 0; i < CONNECTIONS; i++) {
            lab_upstream_say(lab, i, 1, lab_answer(text, identical ? 1 : round * CONNECTIONS + i));
            lab_client_say(lab, i, 1, text);
        }
    }
}

static void run_lab(struct lab *lab)
{
    run_calls(lab, false);
}

static void assert_same(struct lab *lab)
{
    assert_int_equal(lab_judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, CONNECTIONS * ROUNDS);
    assert_int_equal(lab->evidence.paired[PAIR_CONTENT], CONNECTIONS);
    for (size_t i = 0; i < lab->evidence.count; i++) {
        const struct crossing *crossing = &lab->evidence.crossings[i];

        assert_int_equal(connection_client(crossing->at[VIEW_CLIENT_LEG]->connection)->port + 10000,
            connection_client(crossing->at[VIEW_UPSTREAM_LEG]->connection)->port);
    }
}

static void test_many_connections(void **state)
{
    run_lab(*state);
    assert_same(*state);
}

static void test_many_connections_on_one_host(void **state)
{
    struct lab *lab = *state;

    lab->one_host = true;
    run_lab(lab);
    assert_same(lab);
}

static void test_identical_calls(void **state)
{
    struct lab *lab = *state;

    run_calls(lab, true);
    assert_same(lab);
}

/* The file again, each packet as often as COPIES says of its place in it. */
static void rewrite(
    struct pcap_builder *builder, int (*copies)(size_t place, size_t arg), size_t arg)
{
    struct buf old = builder->file;
    size_t at = 24;

    buf_init(&builder->file, 2 * old.max);
    assert_int_equal(buf_append(&builder->file, old.data, 24), 0);
    for (size_t place = 0; at < old.len; place++) {
        const uint8_t *len = (const uint8_t *)old.data + at + 8;
        size_t size = 16 + ((size_t)len[2] << 8 | len[3]);

        for (int i = copies(place, arg); i > 0; i--)
            assert_int_equal(buf_append(&builder->file, old.data + at, size), 0);
        at += size;
    }
    buf_deinit(&old);
}

static int twice(size_t place, size_t arg)
{
    (void)place;
    (void)arg;
    return 2;
}

static int all_but_some(size_t place, size_t arg)
{
    return place % arg != arg - 1;
}

/* A packet that was recorded on two devices stands in the file twice. */
static void test_every_packet_twice(void **state)
{
    struct lab *lab = *state;

    run_lab(lab);
    rewrite(&lab->server, twice, 0);
    assert_same(lab);
}

/* Lost packets are missing evidence, on whichever side, and never a difference. */
static void test_lost_packets_are_no_difference(void **state)
{
    for (size_t i = 0; i < 60; i++) {
        struct lab *lab = *state;

        lab->one_host = i % 3 == 0;
        run_calls(lab, i % 2 == 0);
        if (i % 5 != 0)
            rewrite(&lab->server, all_but_some, i + 3);
        if (i % 4 != 0)
            rewrite(&lab->proxy, all_but_some, i + 2);
        assert_int_not_equal(lab_judge(lab), VERDICT_DIFFER);
        lab_teardown(state);
        lab_setup(state);
    }
}

/* Replaces TEXT, once, in a builder's file. */
static void patch(struct pcap_builder *builder, const char *text, const char *by)
{
    char *at = memmem(builder->file.data, builder->file.len, text, strlen(text));

    assert_non_null(at);
    for (size_t i = 0; by[i] != '\0'; i++)
        at[i] = by[i];
}

static void test_changed_on_the_way(void **state)
{
    struct lab *lab = *state;

    run_lab(lab);
    patch(&lab->server, "call-0100\",\"arguments\":{\"depth\":2",
        "call-0100\",\"arguments\":{\"depth\":9");
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].hop, HOP_PROXY_TO_SERVER);
    assert_string_equal(lab->findings.items[0].call_id, "call-0100");
    assert_string_equal(lab->findings.items[0].place.name, "/arguments/depth");
}

static void test_changed_in_the_proxy(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE], other[LAB_MESSAGE];

    lab_open_client(lab, 0);
    lab_client_say(lab, 0, 0, call(text, 1));
    lab_open_upstream(lab, 0);
    snprintf(other, sizeof(other), "%s", text);
    strstr(other, "Host: b")[6] = 'c';
    lab_upstream_say(lab, 0, 0, other);
    lab_upstream_say(lab, 0, 1, lab_answer(text, 1));
    lab_client_say(lab, 0, 1, lab_answer(text, 2));
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 2);
    assert_int_equal(lab->findings.per_hop[HOP_PROXY], 2);
    assert_string_equal(lab->findings.items[0].place.text, "request field Host");
    assert_string_equal(lab->findings.items[1].place.text, "response body, byte 7");
}

/* Calls that are all the same are told apart by their places in the stream. */
static void test_one_of_identical_calls_changed(void **state)
{
    struct lab *lab = *state;

    run_calls(lab, true);
    patch(&lab->server, "call-0001", "call-9001");
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].hop, HOP_PROXY_TO_SERVER);
    assert_string_equal(lab->findings.items[0].place.name, "/id");
    assert_int_equal(lab->findings.compared, CONNECTIONS * ROUNDS);
}

static int from_place(size_t place, size_t arg)
{
    return place >= arg;
}

/* What was asked of the server is recorded first: its leg is the server's all the same. */
static void test_identical_calls_without_the_first(void **state)
{
    struct lab *lab = *state;

    run_calls(lab, true);
    rewrite(&lab->proxy, from_place, (size_t)CONNECTIONS * 5);
    assert_int_equal(lab_judge(lab), VERDICT_INCONCLUSIVE);
    assert_int_equal(lab->evidence.legs.proxy.port, 8080);
    assert_int_equal(lab->evidence.legs.server.port, 8000);
}

/* Requests that came in one segment have their numbers in their order. */
static void test_numbers_of_pipelined_requests(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE], all[3 * LAB_MESSAGE] = "";

    lab_open_client(lab, 0);
    for (size_t i = 0, at = 0; i < 3; i++)
        at += (size_t)snprintf(all + at, sizeof(all) - at, "%s", call(text, i));
    lab_client_say(lab, 0, 0, all);
    lab_open_upstream(lab, 0);
    lab_upstream_say(lab, 0, 0, all);
    for (size_t i = 0; i < 3; i++) {
        lab_upstream_say(lab, 0, 1, lab_answer(text, i));
        lab_client_say(lab, 0, 1, lab_answer(text, i == 2 ? 9 : i));
    }
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].number, 3);
}

static void test_answered_by_the_proxy(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    run_lab(lab);
    lab_client_say(lab, 0, 0, call(text, 999));
    lab_client_say(lab, 0, 1, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].kind, FINDING_UNASKED);
}

/* On one host the addresses tell nothing: a client leg that was lost looks like a direct call. */
static void test_lost_client_leg_on_one_host(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    lab->one_host = true;
    run_lab(lab);
    lab_upstream_say(lab, 0, 0, call(text, 999));
    lab_upstream_say(lab, 0, 1, lab_answer(text, 999));
    lab->client[0].next[0] += 100; /* not recorded, and acknowledged below */
    lab->client[0].next[1] += 100;
    lab_client_say(lab, 0, 0, "");
    assert_int_equal(lab_judge(lab), VERDICT_INCONCLUSIVE);
    assert_int_equal(findings_lacking(&lab->findings, SOURCE_PROXY), 1);
}

static void test_client_gone_before_the_answer(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    run_lab(lab);
    lab_client_say(lab, 0, 0, call(text, 999));
    assert_int_equal(lab_judge(lab), VERDICT_INCONCLUSIVE);
    assert_int_equal(lab->findings.doubts[DOUBT_INCOMPLETE][SOURCE_PROXY].count, 1);
}

/* An exchange at the server that the proxy's capture lacks, from the proxy's own address. */
static void test_proxy_capture_lacks_a_connection(void **state)
{
    struct lab *lab = *state;
    struct pcap_connection connection;
    char text[LAB_MESSAGE];

    run_lab(lab);
    pcap_connection_open(&lab->server, &connection, (struct pcap_end){LAB_PROXY, 30000},
        (struct pcap_end){LAB_SERVER, 8000}, 5);
    pcap_connection_say(&lab->server, &connection, 0, call(text, 999));
    pcap_connection_say(&lab->server, &connection, 1, lab_answer(text, 999));
    assert_int_equal(lab_judge(lab), VERDICT_INCONCLUSIVE);
    assert_int_equal(findings_lacking(&lab->findings, SOURCE_PROXY), 1);
}

static void test_others_at_the_server_are_no_finding(void **state)
{
    static const struct pcap_end others[] = {{LAB_LOOPBACK, 30000}, {0x0a000063, 30000}};
    static const struct pcap_end services[] = {{LAB_LOOPBACK, 8000}, {LAB_SERVER, 8000}};
    struct lab *lab = *state;
    struct pcap_connection connection;

    run_lab(lab);
    for (size_t i = 0; i < 2; i++) {
        pcap_connection_open(&lab->server, &connection, others[i], services[i], 5);
        pcap_connection_say(
            &lab->server, &connection, 0, "GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n");
        pcap_connection_say(
            &lab->server, &connection, 1, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    assert_int_equal(lab_judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.aside, 2);
}

static void test_injected_segment(void **state)
{
    struct lab *lab = *state;
    struct pcap_connection *upstream = &lab->upstream[3];
    char text[LAB_MESSAGE];

    run_lab(lab);
    lab_upstream_say(lab, 3, 0, call(text, 999));
    pcap_builder_segment(&lab->server, upstream->ends[0], upstream->ends[1], upstream->next[0] - 10,
        upstream->next[1], PCAP_ACK, "0123456789", 10);
    lab_upstream_say(lab, 3, 1, lab_answer(text, 999));
    lab_client_say(lab, 3, 0, call(text, 999));
    lab_client_say(lab, 3, 1, lab_answer(text, 999));
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].kind, FINDING_OVERLAP);
}

static void test_nothing_at_all(void **state)
{
    assert_int_equal(lab_judge(*state), VERDICT_INCONCLUSIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_connections, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_many_connections_on_one_host, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_identical_calls, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_every_packet_twice, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_lost_packets_are_no_difference, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_changed_on_the_way, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_changed_in_the_proxy, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_one_of_identical_calls_changed, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_identical_calls_without_the_first, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_numbers_of_pipelined_requests, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_answered_by_the_proxy, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_lost_client_leg_on_one_host, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_client_gone_before_the_answer, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_proxy_capture_lacks_a_connection, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_others_at_the_server_are_no_finding, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_injected_segment, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_at_all, lab_setup, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
