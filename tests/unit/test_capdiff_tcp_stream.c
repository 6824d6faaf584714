/* tcp_stream.h: one stream of bytes out of segments in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capturer/capdiff/tcp_stream.h"

struct heard {
    char bytes[256];
    size_t len;
    uint64_t gap_bytes;
    int clashes, fins;
};

static void on_data(void *arg, int side, const struct tcp_run *run)
{
    struct heard *heard = arg;

    (void)side;
    assert_true(heard->len + run->len < sizeof(heard->bytes));
    memcpy(heard->bytes + heard->len, run->data, run->len);
    heard->len += run->len;
}

static void on_gap(void *arg, int side, uint64_t len)
{
    struct heard *heard = arg;

    (void)side;
    heard->gap_bytes += len;
    heard->bytes[heard->len++] = '~';
}

static void on_clash(void *arg, int side, const struct tcp_clash *clash)
{
    (void)side;
    assert_memory_not_equal(clash->before, clash->later, clash->len);
    ((struct heard *)arg)->clashes++;
}

static void on_fin(void *arg, int side)
{
    (void)side;
    ((struct heard *)arg)->fins++;
}

struct fixture {
    struct heard heard;
    struct tcp_sink sink;
    struct tcp_stream stream;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->sink = (struct tcp_sink){on_data, on_gap, on_clash, on_fin, &fixture->heard};
    tcp_stream_init(&fixture->stream, &fixture->sink, 0);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_deinit(&fixture->stream);
    free(fixture);
    return 0;
}

static void feed(struct fixture *fixture, uint32_t seq, const char *text, uint8_t flags)
{
    struct segment segment = {.seq = seq,
        .flags = flags,
        .payload = (const uint8_t *)text,
        .len = strlen(text),
        .wire_len = strlen(text)};

    tcp_stream_segment(&fixture->stream, &segment);
}

static void assert_heard(const struct fixture *fixture, const char *text)
{
    assert_int_equal(fixture->heard.len, strlen(text));
    assert_memory_equal(fixture->heard.bytes, text, strlen(text));
}

static void test_out_of_order(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 100);
    feed(fixture, 106, "ghi", SEGMENT_FIN);
    feed(fixture, 103, "def", 0);
    assert_heard(fixture, "");
    feed(fixture, 100, "abc", 0);
    assert_heard(fixture, "abcdefghi");
    assert_int_equal(fixture->heard.fins, 1);
    tcp_stream_finish(&fixture->stream);
    assert_int_equal(fixture->heard.gap_bytes, 0);
}

static void test_numbers_wrap(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0xfffffffe);
    feed(fixture, 1, "de", 0);
    feed(fixture, 0xfffffffe, "abc", 0);
    assert_heard(fixture, "abcde");
    feed(fixture, 0xfffffffe, "abc", 0);
    assert_heard(fixture, "abcde");
    assert_int_equal(fixture->heard.clashes, 0);
}

static void test_first_bytes_count(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    feed(fixture, 3, "def", 0);
    feed(fixture, 1, "bcXX", 0); /* overlaps what is held, with other bytes */
    assert_int_equal(fixture->heard.clashes, 1);
    feed(fixture, 0, "a", 0);
    assert_heard(fixture, "abcdef");
    feed(fixture, 2, "cdZZgh", 0); /* and what was given, and goes on */
    assert_int_equal(fixture->heard.clashes, 2);
    assert_heard(fixture, "abcdefgh");
    feed(fixture, 0, "abcdefgh", 0);
    assert_int_equal(fixture->heard.clashes, 2);
}

static void test_piece_around_pieces(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    feed(fixture, 2, "c", 0);
    feed(fixture, 5, "f", 0);
    feed(fixture, 1, "bcdefgh", 0);
    feed(fixture, 0, "a", 0);
    assert_heard(fixture, "abcdefgh");
    assert_int_equal(fixture->stream.held, 0);
    assert_null(fixture->stream.pieces);
}

static void test_acknowledged_hole_is_a_gap(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    feed(fixture, 0, "ab", 0);
    feed(fixture, 5, "fg", SEGMENT_FIN);
    tcp_stream_ack(&fixture->stream, 8);
    tcp_stream_finish(&fixture->stream);
    assert_heard(fixture, "ab~fg");
    assert_int_equal(fixture->heard.gap_bytes, 3);
    assert_int_equal(fixture->heard.fins, 1);
}

static void test_unaccepted_bytes_are_none(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    feed(fixture, 0, "ab", 0);
    feed(fixture, 1000000, "injected far ahead", 0);
    tcp_stream_ack(&fixture->stream, 2);
    tcp_stream_finish(&fixture->stream);
    assert_heard(fixture, "ab");
    assert_int_equal(fixture->heard.gap_bytes, 0);
}

static void test_acknowledged_end_is_a_gap(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    feed(fixture, 0, "ab", 0);
    tcp_stream_ack(&fixture->stream, 10);
    tcp_stream_finish(&fixture->stream);
    assert_int_equal(fixture->heard.gap_bytes, 8);
}

static void test_keep_alive_is_no_clash(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    feed(fixture, 0, "abc", 0);
    feed(fixture, 2, "?", 0);
    assert_int_equal(fixture->heard.clashes, 0);
    assert_heard(fixture, "abc");
}

static void test_held_bytes_are_bounded(void **state)
{
    struct fixture *fixture = *state;

    tcp_stream_start(&fixture->stream, 0);
    for (uint32_t i = 0; i < 3 * TCP_PIECES_MAX; i++)
        feed(fixture, 1000000000 - 2 * i, "x", 0);
    assert_true(fixture->stream.n_pieces <= TCP_PIECES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_out_of_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_bytes_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_piece_around_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_acknowledged_hole_is_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unaccepted_bytes_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_acknowledged_end_is_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keep_alive_is_no_clash, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_bytes_are_bounded, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
