#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mitm_proxy/valve.h"

#define QUEUE_MAX 65536

/* A valve on a loop of its own, and what came out of it. */
struct flow {
    uv_loop_t loop;
    struct valve valve;
    struct buf out;   /* "." where the message ended */
    struct buf marks; /* as in "ab@0 c.@20 ": what came out, and ms from the start */
    uint64_t start;
    unsigned int moved, closed;
    const char *direct; /* where the bytes lay that came out last */
    const char *next;   /* put as another message when one ends; NULL: none */
    bool closes;        /* when it ends */
};

static void on_out(struct valve *valve, struct slice bytes, bool last)
{
    struct flow *flow = valve->data;
    assert_true(bytes.len > 0 || last);
    assert_true(valve_queued(valve) <= QUEUE_MAX);
    flow->direct = bytes.data;
    assert_int_equal(buf_append(&flow->out, bytes.data, bytes.len), 0);
    assert_int_equal(buf_printf(&flow->marks, "%.*s%s@%" PRIu64 " ", (int)bytes.len, bytes.data,
                         last ? "." : "", uv_now(&flow->loop) - flow->start),
        0);
    if (!last)
        return;
    assert_int_equal(buf_append_char(&flow->out, '.'), 0);
    if (flow->closes)
        valve_close(valve);
    if (flow->next == NULL)
        return;
    struct slice next = slice_str(flow->next);
    flow->next = NULL;
    valve_reset(valve);
    assert_int_equal(valve_put(valve, next, true), 0);
}

static void on_moved(struct valve *valve)
{
    ((struct flow *)valve->data)->moved++;
}

static void on_closed(struct valve *valve)
{
    struct flow *flow = valve->data;
    flow->closed++;
    assert_false(valve->live);
}

static void flow_init(struct flow *flow)
{
    *flow = (struct flow){0};
    assert_int_equal(uv_loop_init(&flow->loop), 0);
    buf_init(&flow->out, QUEUE_MAX);
    buf_init(&flow->marks, QUEUE_MAX);
    valve_init(&flow->valve, &flow->loop, QUEUE_MAX);
    flow->valve.on_out = on_out;
    flow->valve.on_moved = on_moved;
    flow->valve.on_closed = on_closed;
    flow->valve.data = flow;
    uv_update_time(&flow->loop);
    flow->start = uv_now(&flow->loop);
}

static void run(struct flow *flow)
{
    assert_int_equal(uv_run(&flow->loop, UV_RUN_DEFAULT), 0);
}

/* Closes it, and its loop is clean. */
static void flow_deinit(struct flow *flow)
{
    bool live = flow->valve.live;
    unsigned int closed = flow->closed;
    valve_close(&flow->valve);
    run(flow);
    assert_int_equal(flow->closed, closed + live);
    assert_int_equal(uv_loop_close(&flow->loop), 0);
    buf_deinit(&flow->out);
    buf_deinit(&flow->marks);
}

static void put(struct flow *flow, const char *text, bool last)
{
    char *exact = strdup(text); /* so that a later read is seen */
    assert_non_null(exact);
    assert_int_equal(valve_put(&flow->valve, slice_str(exact), last), 0);
    free(exact);
}

static void check_out(const struct flow *flow, const char *wanted)
{
    if (!slice_is(slice_of(flow->out.data, flow->out.len), wanted))
        fail_msg("\"%.*s\", not \"%s\"", (int)flow->out.len, flow->out.data, wanted);
}

static uint64_t elapsed(const struct flow *flow)
{
    return uv_now(&flow->loop) - flow->start;
}

/* What nothing holds passes within the call, uncopied, and needs no timer. */
static void test_passes(void **state)
{
    static const char text[] = "abc";
    struct flow flow;
    (void)state;
    flow_init(&flow);
    assert_int_equal(valve_put(&flow.valve, slice_of(text, 3), false), 0);
    assert_ptr_equal(flow.direct, text);
    put(&flow, "", false);
    put(&flow, "d", false);
    check_out(&flow, "abcd");
    put(&flow, "", true);
    check_out(&flow, "abcd.");
    assert_int_equal(valve_queued(&flow.valve), 0);
    valve_reset(&flow.valve);
    put(&flow, "ef", true);
    check_out(&flow, "abcd.ef.");
    assert_false(flow.valve.live);
    assert_int_equal(flow.moved, 0);
    flow_deinit(&flow);
}

/* Delays add up, and the end waits too. */
static void test_delay(void **state)
{
    struct flow flow;
    (void)state;
    flow_init(&flow);
    valve_delay(&flow.valve, uv_now(&flow.loop), 10);
    valve_delay(&flow.valve, uv_now(&flow.loop), 15);
    put(&flow, "ab", false);
    put(&flow, "c", true);
    assert_int_equal(valve_queued(&flow.valve), 3);
    check_out(&flow, "");
    run(&flow);
    check_out(&flow, "abc.");
    assert_in_range(elapsed(&flow), 25, 10000);
    assert_true(flow.moved > 0);
    valve_reset(&flow.valve);
    flow.start = uv_now(&flow.loop);
    valve_delay(&flow.valve, uv_now(&flow.loop), 5);
    put(&flow, "", true);
    check_out(&flow, "abc.");
    run(&flow);
    check_out(&flow, "abc..");
    assert_in_range(elapsed(&flow), 5, 10000);
    flow_deinit(&flow);
}

struct opener {
    uv_timer_t timer;
    struct flow *flow;
    struct valve_gate *gate;
};

static void on_open(uv_timer_t *timer)
{
    struct opener *opener = timer->data;
    check_out(opener->flow, "");
    valve_open_gate(&opener->flow->valve, opener->gate);
    check_out(opener->flow, ""); /* not within the call */
    uv_close((uv_handle_t *)timer, NULL);
}

static void open_after(
    struct opener *opener, struct flow *flow, struct valve_gate *gate, uint64_t ms)
{
    opener->flow = flow;
    opener->gate = gate;
    opener->timer.data = opener;
    uv_timer_init(&flow->loop, &opener->timer);
    uv_timer_start(&opener->timer, on_open, ms, 0);
}

/* All gates have to be open, or their time up. */
static void test_gates(void **state)
{
    static const struct {
        uint64_t most[2], open[2]; /* ms; open 0: never */
        uint64_t from, to;         /* when it comes out */
    } cases[] = {
        {{60000, 60000}, {5, 10}, 10, 30000},
        {{60000, 60000}, {10, 5}, 10, 30000},
        {{60000, 20}, {5, 0}, 20, 30000},
        {{15, 60000}, {0, 20}, 20, 30000},
        {{15, 10}, {0, 0}, 15, 10000},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flow flow;
        struct valve_gate gates[2];
        struct opener openers[2];
        flow_init(&flow);
        for (size_t j = 0; j < 2; j++) {
            valve_shut(&flow.valve, &gates[j], cases[i].most[j]);
            if (cases[i].open[j] > 0)
                open_after(&openers[j], &flow, &gates[j], cases[i].open[j]);
        }
        put(&flow, "ab", false);
        put(&flow, "c", true);
        run(&flow);
        check_out(&flow, "abc.");
        assert_in_range(elapsed(&flow), cases[i].from, cases[i].to);
        flow_deinit(&flow);
    }
}

/* A gate that opens before anything waits. */
static void test_gate_open_first(void **state)
{
    struct flow flow;
    struct valve_gate gate;
    (void)state;
    flow_init(&flow);
    valve_shut(&flow.valve, &gate, 60000);
    valve_open_gate(&flow.valve, &gate);
    put(&flow, "ab", true);
    check_out(&flow, "ab.");
    assert_false(flow.valve.live);
    flow_deinit(&flow);
}

/* What comes when the gate is open stays behind what has waited for that. */
static void test_put_behind(void **state)
{
    struct flow flow;
    struct valve_gate gate;
    (void)state;
    flow_init(&flow);
    valve_shut(&flow.valve, &gate, 60000);
    put(&flow, "ab", false);
    valve_open_gate(&flow.valve, &gate);
    put(&flow, "c", false);
    check_out(&flow, "");
    put(&flow, "d", true);
    run(&flow);
    check_out(&flow, "abcd.");
    flow_deinit(&flow);
}

/* The least time that LEN bytes take, but for one piece, of which there are 50 in a second. */
static uint64_t least_ms(uint64_t rate, uint64_t free_bytes, size_t len)
{
    uint64_t paid = len > free_bytes ? len - free_bytes : 0;
    uint64_t piece = rate >= 50 ? rate / 50 : 1;
    return paid > piece ? (paid - piece) * 1000 / rate : 0;
}

/* The first bytes are free, the slowest rate counts, and all comes. */
static void test_throttle(void **state)
{
    static const struct {
        uint64_t rates[2], free_bytes;
        size_t len;
    } cases[] = {{{10000, 20000}, 100, 600}, {{50000, 10000}, 0, 500}, {{2000, UINT64_MAX}, 3, 203},
        {{200, 300}, 5, 10}, {{40, 49}, 8, 10}, {{UINT64_MAX, UINT64_MAX}, 0, 5000},
        {{1000, 1000}, 5000, 100}};
    char text[8192];
    (void)state;
    for (size_t at = 0; at < sizeof text; at++)
        text[at] = (char)('a' + at % 26);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t half = cases[i].len / 2;
        uint64_t free_bytes = cases[i].free_bytes, slow = cases[i].rates[0];
        struct flow flow;
        flow_init(&flow);
        valve_throttle(&flow.valve, cases[i].rates[0], free_bytes);
        valve_throttle(&flow.valve, cases[i].rates[1], free_bytes);
        assert_int_equal(valve_put(&flow.valve, slice_of(text, half), false), 0);
        assert_in_range(flow.out.len, free_bytes < half ? free_bytes : half, half);
        assert_int_equal(
            valve_put(&flow.valve, slice_of(text + half, cases[i].len - half), true), 0);
        run(&flow);
        assert_int_equal(flow.out.len, cases[i].len + 1);
        assert_memory_equal(flow.out.data, text, cases[i].len);
        if (cases[i].rates[1] < slow)
            slow = cases[i].rates[1];
        uint64_t least = least_ms(slow, free_bytes, cases[i].len);
        assert_in_range(elapsed(&flow) + 1, least, 3 * least + 5000);
        flow_deinit(&flow);
    }
}

/* Puts what stands before the next bar, with a pause at each "+". False: that was the rest. */
static bool put_with_pauses(struct flow *flow, const char **puts)
{
    char text[8];
    size_t len = 0;
    for (; **puts != '|' && **puts != '\0'; ++*puts) {
        if (**puts == '+')
            assert_int_equal(valve_pause(&flow->valve, len, 10), 0);
        else
            text[len++] = **puts;
    }
    bool more = *(*puts)++ == '|';
    assert_int_equal(valve_put(&flow->valve, slice_of(text, len), !more), 0);
    return more;
}

/* How many "+" TEXT begins with; it is moved behind them. */
static size_t take_pauses(const char **text)
{
    size_t count = strspn(*text, "+");
    *text += count;
    return count;
}

/* What came out, with a "+" for every 10 ms that lie between. */
static void show_pauses(struct flow *flow, struct buf *shown)
{
    uint64_t before = 0;
    assert_int_equal(buf_append_char(&flow->marks, '\0'), 0);
    for (const char *mark = flow->marks.data; *mark != '\0'; mark = strchr(mark, ' ') + 1) {
        const char *at = strchr(mark, '@');
        uint64_t ms = strtoull(at + 1, NULL, 10);
        for (uint64_t left = ms - before; left >= 10; left -= 10)
            assert_int_equal(buf_append_char(shown, '+'), 0);
        assert_int_equal(buf_append(shown, mark, (size_t)(at - mark)), 0);
        before = ms;
    }
    assert_int_equal(buf_append_char(shown, '\0'), 0);
}

/* Pauses stand where they were said to, and the rest comes in order; it may take longer. */
static void test_pauses(void **state)
{
    static const struct {
        const char *puts, *out;
    } cases[] = {{"ab+c", "ab+c."}, {"+ab", "+ab."}, {"ab+", "ab+."}, {"ab+|", "ab+."}, {"+", "+."},
        {"a++b", "a++b."}, {"a|b+c|d|", "ab+cd."}, {"a+|+b", "a++b."}, {"a+b+c|", "a+b+c."}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *puts = cases[i].puts, *wanted = cases[i].out;
        struct buf shown;
        struct flow flow;
        flow_init(&flow);
        buf_init(&shown, QUEUE_MAX);
        while (put_with_pauses(&flow, &puts))
            ;
        run(&flow);
        show_pauses(&flow, &shown);
        for (const char *is = shown.data; *wanted != '\0';) {
            size_t least = take_pauses(&wanted);
            if (take_pauses(&is) < least || *is++ != *wanted++)
                fail_msg("%s: %s, not %s", cases[i].puts, shown.data, cases[i].out);
        }
        buf_deinit(&shown);
        flow_deinit(&flow);
    }
}

/* From within what lets its end out the next message may come, whether that is a call or the loop.
 */
static void test_next_within(void **state)
{
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        struct flow flow;
        flow_init(&flow);
        flow.next = "next";
        if (waits)
            valve_delay(&flow.valve, uv_now(&flow.loop), 5);
        put(&flow, "first", true);
        run(&flow);
        check_out(&flow, "first.next.");
        flow_deinit(&flow);
    }
}

/* What waits for a message that is no more does not come; its gates are forgotten. */
static void test_reset(void **state)
{
    struct flow flow;
    struct valve_gate gate;
    (void)state;
    flow_init(&flow);
    valve_shut(&flow.valve, &gate, 60000);
    valve_throttle(&flow.valve, 1, 0);
    assert_int_equal(valve_pause(&flow.valve, 1, 60000), 0);
    put(&flow, "never", true);
    valve_reset(&flow.valve);
    assert_int_equal(valve_queued(&flow.valve), 0);
    put(&flow, "ab", true);
    check_out(&flow, "ab.");
    run(&flow);
    check_out(&flow, "ab.");
    flow_deinit(&flow);
}

/* Closed in the middle, or within the call that lets the end out. */
static void test_close(void **state)
{
    (void)state;
    for (int within = 0; within < 2; within++) {
        struct flow flow;
        flow_init(&flow);
        flow.closes = within;
        valve_delay(&flow.valve, uv_now(&flow.loop), within ? 5 : 60000);
        put(&flow, "ab", true);
        if (!within)
            valve_close(&flow.valve);
        run(&flow);
        check_out(&flow, within ? "ab." : "");
        assert_int_equal(flow.closed, 1);
        flow_deinit(&flow);
    }
}

/* No more than its maximum waits. */
static void test_maximum(void **state)
{
    static char text[QUEUE_MAX + 1];
    struct flow flow;
    (void)state;
    flow_init(&flow);
    valve_delay(&flow.valve, uv_now(&flow.loop), 5);
    assert_int_equal(valve_put(&flow.valve, slice_of(text, QUEUE_MAX), false), 0);
    assert_int_equal(valve_queued(&flow.valve), QUEUE_MAX);
    assert_int_equal(valve_put(&flow.valve, slice_of(text, 1), false), UV_ENOBUFS);
    flow_deinit(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_gates),
        cmocka_unit_test(test_gate_open_first),
        cmocka_unit_test(test_put_behind),
        cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_next_within),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
