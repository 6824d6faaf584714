/* lane.h over connection.h: connections between the same ends, and packets recorded twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capturer/capdiff/lane.h"

#define SYN SEGMENT_SYN
#define ACK SEGMENT_ACK
#define FIN SEGMENT_FIN

static const struct endpoint ends[2] = {
    {.address = {10, 77, 1, 2}, .port = 40000}, {.address = {10, 77, 2, 2}, .port = 80}};

static const char get[] = "GET /a HTTP/1.1\r\nHost: b\r\n\r\n";
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct table {
    struct connections connections;
    uint64_t now_ns;
};

static int setup(void **state)
{
    struct table *table = calloc(1, sizeof(*table));

    connections_init(&table->connections, (size_t)1 << 20);
    *state = table;
    return 0;
}

static int teardown(void **state)
{
    struct table *table = *state;

    connections_deinit(&table->connections);
    free(table);
    return 0;
}

/* One leg: its numbers go on by themselves; the ways are those of what the client sends. */
struct talk {
    struct table *table;
    enum way ways[2]; /* that each packet is recorded; WAY_UNKNOWN: no second time */
    uint32_t next[2];
};

static void segment(struct talk *talk, int side, uint8_t flags, const char *text, enum way way)
{
    struct segment segment = {.from = ends[side],
        .to = ends[!side],
        .time_ns = talk->table->now_ns += 1000,
        .seq = talk->next[side],
        .ack = (flags & ACK) != 0 ? talk->next[!side] : 0,
        .flags = flags,
        .payload = (const uint8_t *)text,
        .len = strlen(text),
        .wire_len = strlen(text)};

    if (side == 1 && (way == WAY_IN || way == WAY_OUT))
        way = way == WAY_IN ? WAY_OUT : WAY_IN;
    segment.way = (uint8_t)way;
    connections_segment(&talk->table->connections, &segment);
}

static void say(struct talk *talk, int side, uint8_t flags, const char *text)
{
    segment(talk, side, flags, text, talk->ways[0]);
    if (talk->ways[1] != WAY_UNKNOWN)
        segment(talk, side, flags, text, talk->ways[1]);
    talk->next[side] += (uint32_t)strlen(text) + ((flags & (SYN | FIN)) != 0);
}

static struct talk talk_of(struct table *table, enum way way, enum way again, uint32_t isn)
{
    return (struct talk){table, {way, again}, {isn, isn + 5000}};
}

static void greet(struct talk *talk)
{
    say(talk, 0, SYN, "");
    say(talk, 1, SYN | ACK, "");
    say(talk, 0, ACK, "");
}

static void part(struct talk *talk)
{
    say(talk, 0, FIN | ACK, "");
    say(talk, 1, FIN | ACK, "");
    say(talk, 0, ACK, "");
}

static const struct connection *at(const struct table *table, size_t i, size_t of)
{
    assert_int_equal(table->connections.count, of);
    return table->connections.items[i];
}

static void assert_exchange(const struct connection *connection, enum opener opener)
{
    assert_int_equal(lane_opener(connection), opener);
    assert_int_equal(connection->http.count, 1);
    assert_int_equal(connection->http.items[0]->status, 200);
    assert_int_equal(connection_gaps(connection), 0);
    assert_true(connection_has_ended(connection));
}

/* A proxy with its client's address: the second connection begins while the first one waits. */
static void intercept(
    struct table *table, enum way client_way, enum way upstream_way, uint32_t isn, bool late)
{
    struct talk client = talk_of(table, client_way, WAY_UNKNOWN, isn);
    /* Two namespaces of one kernel begin at nearly the same numbers. */
    struct talk upstream = talk_of(table, upstream_way, WAY_UNKNOWN, isn + 700);

    if (!late)
        greet(&client);
    say(&client, 0, ACK, get);
    say(&client, 1, ACK, "");
    if (!late)
        greet(&upstream);
    say(&upstream, 0, ACK, get);
    say(&upstream, 1, ACK, "");
    say(&upstream, 1, ACK, ok);
    say(&upstream, 0, ACK, "");
    say(&client, 1, ACK, ok);
    say(&client, 0, ACK, "");
    part(&client);
    part(&upstream);
}

static void test_two_at_once(void **state)
{
    struct table *table = *state;

    intercept(table, WAY_IN, WAY_OUT, 1000, false);
    assert_exchange(at(table, 0, 2), OPENER_OTHER);
    assert_exchange(at(table, 1, 2), OPENER_HOST);
    assert_false(at(table, 0, 2)->superseded);
}

static void test_two_at_once_again_and_again(void **state)
{
    struct table *table = *state;

    for (uint32_t i = 0; i < 3; i++)
        intercept(table, WAY_IN, WAY_OUT, 1000 + i * 100000, false);
    for (size_t i = 0; i < 6; i++) {
        assert_exchange(at(table, i, 6), i % 2 == 0 ? OPENER_OTHER : OPENER_HOST);
        assert_int_equal(at(table, i, 6)->superseded, i < 4);
    }
}

static void test_two_without_their_beginnings(void **state)
{
    struct table *table = *state;

    intercept(table, WAY_IN, WAY_OUT, 1000, true);
    assert_exchange(at(table, 0, 2), OPENER_OTHER);
    assert_exchange(at(table, 1, 2), OPENER_HOST);
}

static void converse(struct talk *talk)
{
    say(talk, 0, ACK, get);
    say(talk, 1, ACK, "");
    say(talk, 1, ACK, ok);
    say(talk, 0, ACK, "");
    part(talk);
}

static void test_one_that_is_passed_on(void **state)
{
    struct table *table = *state;
    struct talk talk = talk_of(table, WAY_IN, WAY_OUT, 1000);

    for (uint32_t i = 1; i <= 3; i++) { /* the ports are used again */
        greet(&talk);
        converse(&talk);
        for (size_t k = 0; k < i; k++)
            assert_exchange(at(table, k, i), OPENER_UNKNOWN);
        talk.next[0] += 100000;
        talk.next[1] += 100000;
    }
}

static void test_one_that_is_passed_on_without_its_beginning(void **state)
{
    struct table *table = *state;
    struct talk talk = talk_of(table, WAY_IN, WAY_OUT, 1000);

    converse(&talk);
    assert_exchange(at(table, 0, 1), OPENER_UNKNOWN);
}

/* Several packets came in before the first of them went out. */
static void test_one_that_is_passed_on_in_bursts(void **state)
{
    struct table *table = *state;
    struct talk talk = talk_of(table, WAY_IN, WAY_OUT, 1000);
    uint32_t from;

    greet(&talk);
    from = talk.next[0];
    for (int pass = 0; pass < 2; pass++) {
        enum way way = pass == 0 ? WAY_IN : WAY_OUT;

        talk.next[0] = from;
        segment(&talk, 0, ACK, "GET /a HTTP/1.1\r\n", way);
        talk.next[0] += 17;
        segment(&talk, 0, ACK, "Host: b\r\n\r\n", way);
        talk.next[0] += 11;
    }
    say(&talk, 1, ACK, ok);
    say(&talk, 0, ACK, "");
    part(&talk);
    assert_exchange(at(table, 0, 1), OPENER_UNKNOWN);
}

/* Both ends are on the recording host, and each packet was recorded as it came in. */
static void test_one_whose_ends_are_both_here(void **state)
{
    struct table *table = *state;
    struct talk talk = talk_of(table, WAY_IN, WAY_UNKNOWN, 1000);

    for (int side = 0; side < 2; side++) {
        segment(&talk, side, side == 0 ? SYN : SYN | ACK, "", side == 0 ? WAY_IN : WAY_OUT);
        talk.next[side]++;
    }
    converse(&talk);
    assert_exchange(at(table, 0, 1), OPENER_UNKNOWN);
}

/* Nothing tells the ways: another beginning is another connection, as ever. */
static void test_ways_that_are_not_known(void **state)
{
    struct table *table = *state;
    struct talk first = talk_of(table, WAY_UNKNOWN, WAY_UNKNOWN, 1000);
    struct talk second = talk_of(table, WAY_UNKNOWN, WAY_UNKNOWN, 90000);

    greet(&first);
    converse(&first);
    greet(&second);
    converse(&second);
    assert_exchange(at(table, 0, 2), OPENER_UNKNOWN);
    assert_exchange(at(table, 1, 2), OPENER_UNKNOWN);
}

/* … but where the one before goes on, the two are mixed. */
static void test_two_that_nothing_tells_apart(void **state)
{
    struct table *table = *state;

    intercept(table, WAY_UNKNOWN, WAY_UNKNOWN, 1000, false);
    assert_true(at(table, 0, 2)->mixed);
    assert_true(at(table, 1, 2)->mixed);
    assert_true(at(table, 1, 2)->rival);
}

/* One that was left open, whose ports are used again. */
static void test_one_that_was_left(void **state)
{
    struct table *table = *state;
    struct talk first = talk_of(table, WAY_UNKNOWN, WAY_UNKNOWN, 1000);
    struct talk second = talk_of(table, WAY_UNKNOWN, WAY_UNKNOWN, 90000);

    greet(&first);
    say(&first, 0, ACK, get);
    say(&first, 1, ACK, ok);
    greet(&second);
    converse(&second);
    assert_false(at(table, 0, 2)->mixed);
    assert_exchange(at(table, 1, 2), OPENER_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_at_once_again_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_without_their_beginnings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_passed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_one_that_is_passed_on_without_its_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_is_passed_on_in_bursts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_whose_ends_are_both_here, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ways_that_are_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_that_nothing_tells_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_that_was_left, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
