/* tcp_stream.h: one stream of bytes out of segments in any order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

#define SHUFFLED_LEN 2000 /* bytes; less than TCP_HISTORY_MAX */

/* What a stream must come to: for each number, the byte that was recorded first. */
struct reference {
    uint8_t bytes[SHUFFLED_LEN];
    bool there[SHUFFLED_LEN];
    size_t next;
    int clashes;
};

struct shuffled {
    struct reference reference;
    uint8_t given[SHUFFLED_LEN];
    size_t n_given;
    int clashes;
};

static void on_shuffled_data(void *arg, int side, const struct tcp_run *run)
{
    struct shuffled *shuffled = arg;

    (void)side;
    assert_true(run->len <= SHUFFLED_LEN - shuffled->n_given);
    memcpy(shuffled->given + shuffled->n_given, run->data, run->len);
    shuffled->n_given += run->len;
}

static void on_shuffled_gap(void *arg, int side, uint64_t len)
{
    (void)arg, (void)side, (void)len;
    fail_msg("a gap, where nothing was acknowledged");
}

static void on_shuffled_clash(void *arg, int side, const struct tcp_clash *clash)
{
    (void)side, (void)clash;
    ((struct shuffled *)arg)->clashes++;
}

static void reference_take(
    struct reference *reference, size_t start, const uint8_t *bytes, size_t len)
{
    bool probe = len == 1 && start + 1 == reference->next, clashes = false;

    for (size_t i = start; !probe && i < start + len; i++) {
        clashes = clashes || (reference->there[i] && reference->bytes[i] != bytes[i - start]);
        if (!reference->there[i])
            reference->bytes[i] = bytes[i - start];
        reference->there[i] = true;
    }
    while (reference->next < SHUFFLED_LEN && reference->there[reference->next])
        reference->next++;
    reference->clashes += clashes;
}

static size_t reference_held(const struct reference *reference)
{
    size_t held = 0;

    for (size_t i = reference->next; i < SHUFFLED_LEN; i++)
        held += reference->there[i];
    return held;
}

/* A segment somewhere, of bytes that mostly are those of all others. */
static void feed_shuffled(
    struct tcp_stream *stream, struct reference *reference, size_t start, size_t len)
{
    uint8_t bytes[64];
    struct segment segment = {
        .seq = (uint32_t)start - 1000, .payload = bytes, .len = len, .wire_len = len};

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((start + i) * 7 + (rand() % 200 == 0));
    tcp_stream_segment(stream, &segment);
    reference_take(reference, start, bytes, len);
}

static void shuffle(unsigned longest)
{
    struct shuffled shuffled = {0};
    struct reference *reference = &shuffled.reference;
    struct tcp_sink sink = {
        on_shuffled_data, on_shuffled_gap, on_shuffled_clash, on_fin, &shuffled};
    struct tcp_stream stream;

    tcp_stream_init(&stream, &sink, 0);
    tcp_stream_start(&stream, (uint32_t)-1000); /* the numbers wrap on the way */
    for (int i = 0; i < SHUFFLED_LEN || reference->next < SHUFFLED_LEN; i++) {
        size_t start = (size_t)rand() % SHUFFLED_LEN, len = 1 + (size_t)rand() % longest;

        if (rand() % 50 == 0)
            start = reference->next % SHUFFLED_LEN;
        len = len < SHUFFLED_LEN - start ? len : SHUFFLED_LEN - start;
        feed_shuffled(&stream, reference, start, len);
        assert_int_equal(shuffled.n_given, reference->next);
        assert_int_equal(stream.held, reference_held(reference));
        assert_int_equal(shuffled.clashes, reference->clashes);
        assert_int_equal(stream.pieces == NULL, stream.n_pieces == 0);
    }
    assert_memory_equal(shuffled.given, reference->bytes, SHUFFLED_LEN);
    tcp_stream_deinit(&stream);
}

static void test_any_order(void **state)
{
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 10; i++) {
        shuffle(1);
        shuffle(3);
        shuffle(64);
    }
}

/* The order of pieces that is worst for a list, from both its ends. */
static void test_comb(void **state)
{
    struct fixture *fixture = *state;
    char expected[TCP_PIECES_MAX / 32] = {0};

    tcp_stream_start(&fixture->stream, 0);
    for (uint32_t i = 2; i < sizeof(expected) - 1; i += 2)
        feed(fixture, i, "x", 0);
    for (uint32_t i = sizeof(expected) - 2; i > 0; i--)
        feed(fixture, i, i % 2 == 0 ? "x" : "y", 0);
    assert_heard(fixture, "");
    assert_int_equal(fixture->stream.held, sizeof(expected) - 2);
    feed(fixture, 0, "x", 0);
    for (size_t i = 0; i < sizeof(expected) - 1; i++)
        expected[i] = i % 2 == 0 ? 'x' : 'y';
    assert_heard(fixture, expected);
    assert_null(fixture->stream.pieces);
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
        cmocka_unit_test(test_any_order),
        cmocka_unit_test_setup_teardown(test_comb, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
