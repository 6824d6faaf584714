/* pool.h: a proxy that sends the calls of many clients over a few connections to the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "capturer/capdiff/verdict.h"
#include "tests/unit/pcap_builder.h"

#define AGENT 0x0a000004u
#define PROXY 0x0a000003u
#define SERVER 0x0a000002u
#define CLIENTS 6
#define UPSTREAMS 2
#define ROUNDS 5
#define MESSAGE 512
#define PATH_SIZE 64

struct lab {
    struct pcap_builder proxy, server;
    struct pcap_connection client[CLIENTS], upstream[UPSTREAMS];
    char proxy_path[PATH_SIZE], server_path[PATH_SIZE];
    struct capdiff_options options;
    struct evidence evidence;
    struct findings findings;
};

static void make_file(char *path)
{
    int fd;

    snprintf(path, PATH_SIZE, "/tmp/capdiff-test-XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    struct lab *lab = calloc(1, sizeof(*lab));

    pcap_builder_init(&lab->proxy);
    pcap_builder_init(&lab->server);
    make_file(lab->proxy_path);
    make_file(lab->server_path);
    lab->options.proxy_path = lab->proxy_path;
    lab->options.server_path = lab->server_path;
    lab->options.hold_mib = getenv("CAPDIFF_HOLD") != NULL ? 0 : OPTIONS_HOLD;
    for (uint16_t i = 0; i < CLIENTS; i++)
        pcap_connection_open(&lab->proxy, &lab->client[i],
            (struct pcap_end){AGENT, (uint16_t)(10000 + i)}, (struct pcap_end){PROXY, 8080},
            i * 7919u);
    for (uint16_t i = 0; i < UPSTREAMS; i++) {
        struct pcap_end out = {PROXY, (uint16_t)(20000 + i)}, in = {SERVER, 8000};
        struct pcap_connection copy;

        lab->server.time_us = lab->proxy.time_us;
        pcap_connection_open(&lab->server, &copy, out, in, i * 104729u);
        pcap_connection_open(&lab->proxy, &lab->upstream[i], out, in, i * 104729u);
    }
    *state = lab;
    return 0;
}

static int teardown(void **state)
{
    struct lab *lab = *state;

    findings_deinit(&lab->findings);
    evidence_deinit(&lab->evidence);
    pcap_builder_deinit(&lab->proxy);
    pcap_builder_deinit(&lab->server);
    unlink(lab->proxy_path);
    unlink(lab->server_path);
    free(lab);
    return 0;
}

static enum verdict judge(struct lab *lab)
{
    char err[512];

    pcap_builder_write(&lab->proxy, lab->proxy_path);
    pcap_builder_write(&lab->server, lab->server_path);
    assert_int_equal(evidence_load(&lab->evidence, &lab->options, err, sizeof(err)), 0);
    verdict_find(&lab->findings, &lab->evidence, &lab->options.ignore);
    return findings_verdict(&lab->findings);
}

static void upstream_say(struct lab *lab, size_t i, int side, const char *text)
{
    struct pcap_connection copy = lab->upstream[i];

    lab->server.time_us = lab->proxy.time_us;
    pcap_connection_say(&lab->server, &copy, side, text);
    pcap_connection_say(&lab->proxy, &lab->upstream[i], side, text);
}

static void client_say(struct lab *lab, size_t i, int side, const char *text)
{
    pcap_connection_say(&lab->proxy, &lab->client[i], side, text);
}

static const char *call(char *out, const char *host, const char *id, size_t number)
{
    char body[128];

    snprintf(body, sizeof(body), "{\"id\":\"%s\",\"number\":%zu}", id, number);
    snprintf(out, MESSAGE, "POST /tool HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n%s", host,
        strlen(body), body);
    return out;
}

static const char *answer(char *out, size_t number)
{
    snprintf(out, MESSAGE, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08zu", number);
    return out;
}

/* All clients ask; the calls go by whatever connection is next; answers come back in turn. */
static void run_pool(struct lab *lab, const char *host, bool same_ids, bool same_bodies)
{
    char text[MESSAGE], id[16];

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            size_t number = round * CLIENTS + i;

            snprintf(id, sizeof(id), "call-%zu", same_ids ? 1 : number);
            client_say(lab, i, 0, call(text, "a", id, same_bodies ? 1 : number));
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            size_t number = round * CLIENTS + i, by = (number + round) % UPSTREAMS;

            snprintf(id, sizeof(id), "call-%zu", same_ids ? 1 : number);
            upstream_say(lab, by, 0, call(text, host, id, same_bodies ? 1 : number));
            upstream_say(lab, by, 1, answer(text, same_bodies ? 1 : number));
            client_say(lab, i, 1, text);
        }
    }
}

static uint64_t pooled(const struct lab *lab, enum pair_how how)
{
    uint64_t count = 0;

    for (int sure = 0; sure < PAIR_SURENESSES; sure++)
        count += lab->evidence.pooled[how][sure];
    return count;
}

static void assert_rightly_paired(const struct lab *lab)
{
    for (size_t i = 0; i < lab->evidence.count; i++) {
        const struct crossing *crossing = &lab->evidence.crossings[i];
        const struct exchange *near = crossing->at[VIEW_CLIENT_LEG];
        const struct exchange *far = crossing->at[VIEW_UPSTREAM_LEG];

        assert_non_null(near);
        assert_non_null(far);
        assert_non_null(crossing->at[VIEW_SERVER]);
        assert_true(message_equal(&near->request, &far->request));
    }
}

static void test_by_call_id(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "a", false, false);
    assert_int_equal(judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, CLIENTS * ROUNDS);
    assert_int_equal(lab->evidence.pooled[PAIR_CALL_ID][PAIR_SURE], CLIENTS * ROUNDS);
}

/* What the proxy changes in every call is found in every call, and nothing else is. */
static void test_changed_field(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "b", false, false);
    assert_int_equal(judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, CLIENTS * ROUNDS);
    for (size_t i = 0; i < lab->findings.count; i++)
        assert_string_equal(lab->findings.items[i].place.text, "request field Host");
}

/* An id that stands twice proves nothing: bodies do. */
static void test_repeated_ids(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "a", true, false);
    assert_int_equal(judge(lab), VERDICT_SAME);
    assert_int_equal(lab->evidence.pooled[PAIR_CONTENT][PAIR_SURE], CLIENTS * ROUNDS);
    assert_int_equal(pooled(lab, PAIR_CALL_ID), 0);
    assert_rightly_paired(lab);
}

static void test_all_alike(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "a", true, true);
    assert_int_equal(judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, CLIENTS * ROUNDS);
    assert_int_equal(lab->evidence.pooled[PAIR_ORDER][PAIR_LIKELY], CLIENTS * ROUNDS);
}

static void test_changed_beyond_recognition(void **state)
{
    struct lab *lab = *state;
    char text[MESSAGE];

    run_pool(lab, "a", false, false);
    client_say(lab, 0, 0, call(text, "a", "mine", 900));
    upstream_say(lab, 1, 0, call(text, "a", "thine", 901));
    upstream_say(lab, 1, 1, answer(text, 900));
    client_say(lab, 0, 1, text);
    assert_int_equal(judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 3); /* id, number, and the length that follows */
    assert_int_equal(lab->evidence.pooled[PAIR_LIKENESS][PAIR_GUESS], 1);
}

static void test_left_over(void **state)
{
    struct lab *lab = *state;
    char text[MESSAGE];

    run_pool(lab, "a", false, false);
    upstream_say(lab, 1, 0, call(text, "a", "call-3", 3));
    upstream_say(lab, 1, 1, answer(text, 3));
    upstream_say(lab, 0, 0, call(text, "a", "nobody's", 902));
    upstream_say(lab, 0, 1, answer(text, 902));
    client_say(lab, 0, 0, call(text, "a", "mine", 900));
    client_say(lab, 0, 1, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 3);
    assert_int_equal(lab->findings.items[0].kind, FINDING_DUPLICATED);
    assert_int_equal(lab->findings.items[1].kind, FINDING_INVENTED);
    assert_int_equal(lab->findings.items[2].kind, FINDING_UNASKED);
}

/* A call that was sent twice at once: one of the two was asked for. */
static void test_sent_twice(void **state)
{
    struct lab *lab = *state;
    char text[MESSAGE];

    run_pool(lab, "a", false, false);
    client_say(lab, 0, 0, call(text, "a", "twice", 900));
    for (size_t i = 0; i < UPSTREAMS; i++)
        upstream_say(lab, i, 0, call(text, "a", "twice", 900));
    for (size_t i = 0; i < UPSTREAMS; i++)
        upstream_say(lab, i, 1, answer(text, 900));
    client_say(lab, 0, 1, text);
    assert_int_equal(judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].kind, FINDING_DUPLICATED);
    assert_int_equal(pooled(lab, PAIR_ORDER), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_call_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeated_ids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_beyond_recognition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_left_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sent_twice, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
