/* inbox: what is read in a turn of the loop is told in order, and to owners that want to hear it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/inbox.h"
#include "lib/stream.h"

/* Two streams of one loop, and what their peers hold. */
struct end {
    struct stream stream;
    int peer;
    char told[512]; /* the first bytes of each event, and '.' */
    size_t told_len;
    size_t bytes;
    int ended; /* UV_EOF or an error */
    struct end *stops, *closes, *starts;
};

struct world {
    uv_loop_t loop;
    struct inbox inbox;
    struct end ends[2];
};

static void act(struct end *end)
{
    if (end->stops)
        stream_read_stop(&end->stops->stream);
    if (end->closes)
        stream_close(&end->closes->stream);
    if (end->starts)
        assert_int_equal(stream_read_start(&end->starts->stream), 0);
}

static void on_data(struct stream *stream, const char *data, size_t len)
{
    struct end *end = stream->data;
    size_t first = len < 8 ? len : 8;
    assert_in_range(end->told_len + first, 0, sizeof end->told - 2);
    memcpy(end->told + end->told_len, data, first);
    end->told[end->told_len + first] = '.';
    end->told_len += first + 1;
    end->bytes += len;
    act(end);
}

static void on_end(struct stream *stream, int status)
{
    struct end *end = stream->data;
    assert_int_equal(end->ended, 0);
    end->ended = status;
    act(end);
}

static void on_eof(struct stream *stream)
{
    on_end(stream, UV_EOF);
}

static const struct stream_events events = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_error = on_end,
};

static void open_end(struct world *world, struct end *end)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(stream_init(&end->stream, &world->loop, &events, end), 0);
    assert_int_equal(uv_tcp_open(&end->stream.tcp, fds[0]), 0);
    end->stream.inbox = &world->inbox;
    end->peer = fds[1];
    assert_int_equal(stream_read_start(&end->stream), 0);
}

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    *state = world;
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(inbox_init(&world->inbox), 0);
    open_end(world, &world->ends[0]);
    open_end(world, &world->ends[1]);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        stream_close(&world->ends[i].stream);
        close(world->ends[i].peer);
    }
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    inbox_deinit(&world->inbox);
    free(world);
    return 0;
}

static void send_to(struct end *end, const char *text)
{
    assert_int_equal(send(end->peer, text, strlen(text), 0), strlen(text));
}

static void read_all(struct world *world)
{
    uv_run(&world->loop, UV_RUN_NOWAIT);
}

static void turn(struct world *world)
{
    read_all(world);
    inbox_deliver(&world->inbox);
}

static void assert_told(const struct end *end, const char *expected)
{
    assert_string_equal(end->told, expected);
}

static void test_all_are_read_before_one_is_told(void **state)
{
    struct world *world = *state;
    send_to(&world->ends[0], "one");
    send_to(&world->ends[1], "two");
    read_all(world);
    assert_told(&world->ends[0], "");
    assert_told(&world->ends[1], "");
    inbox_deliver(&world->inbox);
    assert_told(&world->ends[0], "one.");
    assert_told(&world->ends[1], "two.");
}

/* Whichever of the two the kernel tells of first, one of them stops the other. */
static void test_who_is_stopped_meanwhile_hears_it_later(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0], *b = &world->ends[1];
    a->stops = b;
    b->stops = a;
    send_to(a, "one");
    send_to(b, "two");
    turn(world);
    struct end *first = a->told_len > 0 ? a : b, *second = first == a ? b : a;
    assert_int_equal(second->told_len, 0);
    first->stops = NULL;
    turn(world);
    assert_int_equal(second->told_len, 0);
    send_to(second, " more");
    assert_int_equal(stream_read_start(&second->stream), 0);
    turn(world);
    assert_told(second, second == a ? "one. more." : "two. more.");
}

static void test_one_that_is_started_again_at_once_hears_it_in_the_same_turn(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0], *b = &world->ends[1];
    a->stops = a->starts = b;
    b->stops = b->starts = a;
    send_to(a, "one");
    send_to(b, "two");
    turn(world);
    assert_told(a, "one.");
    assert_told(b, "two.");
}

static void test_the_end_waits_behind_the_bytes(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    send_to(a, "last");
    shutdown(a->peer, SHUT_WR);
    read_all(world);
    stream_read_stop(&a->stream);
    inbox_deliver(&world->inbox);
    assert_told(a, "");
    assert_int_equal(a->ended, 0);
    assert_int_equal(stream_read_start(&a->stream), 0);
    turn(world);
    turn(world);
    assert_told(a, "last.");
    assert_int_equal(a->ended, UV_EOF);
}

/* The kernel tells of it once. */
static void test_a_reset_is_not_forgotten(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    assert_int_equal(send(a->peer, "x", 1, 0), 1);
    read_all(world);
    uv_buf_t run = uv_buf_init((char[]){'y'}, 1);
    assert_int_equal(stream_write(&a->stream, &run, 1), 0);
    close(a->peer); /* which has something unread: the other end is told of a reset */
    a->peer = -1;
    read_all(world);
    stream_read_stop(&a->stream);
    inbox_deliver(&world->inbox);
    assert_int_equal(a->ended, 0);
    assert_int_equal(stream_read_start(&a->stream), 0);
    turn(world);
    assert_told(a, "x.");
    assert_int_equal(a->ended, UV_ECONNRESET);
}

static void test_who_is_closed_meanwhile_hears_nothing(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0], *b = &world->ends[1];
    a->closes = b;
    b->closes = a;
    send_to(a, "one");
    send_to(b, "two");
    turn(world);
    assert_int_equal((a->told_len > 0) + (b->told_len > 0), 1);
}

static void test_one_that_is_closed_while_it_waits(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    send_to(a, "one");
    read_all(world);
    stream_read_stop(&a->stream);
    inbox_deliver(&world->inbox);
    assert_int_equal(stream_read_start(&a->stream), 0);
    stream_close(&a->stream);
    turn(world);
    assert_told(a, "");
}

/* The peer answered early, and is gone: why, comes before that. */
static void test_what_was_read_comes_before_a_write_that_fails(void **state)
{
    static char large[8 << 20];
    struct world *world = *state;
    struct end *a = &world->ends[0];
    uv_buf_t run = uv_buf_init(large, sizeof large);
    assert_int_equal(stream_write(&a->stream, &run, 1), 0);
    assert_true(stream_queued(&a->stream) > 0);
    send_to(a, "no");
    close(a->peer);
    a->peer = -1;
    read_all(world);
    assert_told(a, "no.");
    assert_int_not_equal(a->ended, 0);
}

/* Behind what waits, which is told first. */
static void test_a_large_read_is_told_at_once(void **state)
{
    static char large[INBOX_SMALL_MAX + 1];
    struct world *world = *state;
    struct end *a = &world->ends[0];
    send_to(a, "small");
    read_all(world);
    assert_int_equal(a->bytes, 0);
    assert_int_equal(send(a->peer, large, sizeof large, 0), sizeof large);
    read_all(world);
    assert_int_equal(a->bytes, strlen("small") + sizeof large);
    assert_memory_equal(a->told, "small.", 6);
}

/* More of them than the inbox has room for. */
static void test_many_small_reads(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    char line[8];
    for (int i = 0; i < 3 * INBOX_READS_MAX; i++) {
        snprintf(line, sizeof line, "%d", i);
        send_to(a, line);
        a->told_len = 0;
        memset(a->told, 0, sizeof a->told);
        read_all(world);
    }
    inbox_deliver(&world->inbox);
    assert_int_equal(a->bytes, 10 + 90 * 2 + (3 * INBOX_READS_MAX - 100) * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_are_read_before_one_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_who_is_stopped_meanwhile_hears_it_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_one_that_is_started_again_at_once_hears_it_in_the_same_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_waits_behind_the_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reset_is_not_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_who_is_closed_meanwhile_hears_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_is_closed_while_it_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_what_was_read_comes_before_a_write_that_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_large_read_is_told_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_small_reads, set_up, tear_down),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
