#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json_text.h"
#include "mitm_proxy/waiting.h"

#define WAITERS 4
#define OUT_MAX 4096

static const struct connection connection = {.client = "127.0.0.1:5000"};
static const struct rule hold = {.name = {"h\"", 2}, .side = RULE_REQUEST};
static const struct rule reorder = {.name = {"r", 1}, .side = RULE_RESPONSE};

/* Messages that wait: the second and the fourth by reorder. */
struct hall {
    uv_loop_t loop;
    struct waiting waiting;
    struct waiter waiters[WAITERS];
    struct valve valves[WAITERS];
    struct exchange exchanges[WAITERS];
    struct buf out; /* "a" to "d", as they go on */
};

static void on_out(struct valve *valve, struct slice bytes, bool last)
{
    struct hall *hall = valve->data;
    assert_true(last);
    assert_int_equal(buf_append(&hall->out, bytes.data, bytes.len), 0);
}

static void on_event(struct valve *valve)
{
    (void)valve;
}

static void hall_init(struct hall *hall)
{
    *hall = (struct hall){0};
    assert_int_equal(uv_loop_init(&hall->loop), 0);
    buf_init(&hall->out, OUT_MAX);
    for (size_t i = 0; i < WAITERS; i++) {
        struct waiter *waiter = &hall->waiters[i];
        struct valve *valve = &hall->valves[i];
        valve_init(valve, &hall->loop, OUT_MAX);
        valve->on_out = on_out;
        valve->on_moved = valve->on_closed = on_event;
        valve->data = hall;
        hall->exchanges[i] = (struct exchange){.connection = &connection,
            .id = 10 + i,
            .method = slice_str("POST"),
            .target = i == 2 ? slice_of(NULL, 0) : slice_str("/\x01"),
            .tool_name = i == 0 ? slice_str("\"deposit\"") : slice_of(NULL, 0)};
        waiter->valve = valve;
        waiter->exchange = &hall->exchanges[i];
        waiter->reorder = i % 2;
        waiter->rule = waiter->reorder ? &reorder : &hold;
        waiting_add(&hall->waiting, waiter, 60000);
        assert_int_equal(waiter->id, i + 1);
        assert_int_equal(valve_put(valve, slice_of(&"abcd"[i], 1), true), 0);
    }
}

/* Those that have been let go went on, in that order; the others never do. */
static void hall_deinit(struct hall *hall, const char *out)
{
    for (size_t i = 0; i < WAITERS; i++) {
        if (hall->waiters[i].link != NULL)
            valve_close(&hall->valves[i]);
        waiting_remove(&hall->waiters[i]);
        waiting_remove(&hall->waiters[i]); /* harmless */
    }
    assert_null(hall->waiting.first);
    assert_int_equal(uv_run(&hall->loop, UV_RUN_DEFAULT), 0);
    assert_true(slice_is(slice_of(hall->out.data, hall->out.len), out));
    for (size_t i = 0; i < WAITERS; i++)
        valve_close(&hall->valves[i]);
    assert_int_equal(uv_run(&hall->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&hall->loop), 0);
    buf_deinit(&hall->out);
}

/* The ids of all that wait, in their order. */
static void check_ids(const struct hall *hall, const char *wanted)
{
    char ids[WAITERS + 1] = "";
    size_t count = 0;
    for (const struct waiter *waiter = hall->waiting.first; waiter != NULL; waiter = waiter->next)
        ids[count++] = (char)('0' + waiter->id);
    ids[count] = '\0';
    assert_string_equal(ids, wanted);
}

static void test_let_go(void **state)
{
    struct hall hall;
    (void)state;
    hall_init(&hall);
    check_ids(&hall, "1234");
    assert_true(waiting_release(&hall.waiting, 3));
    assert_false(waiting_release(&hall.waiting, 3));
    assert_false(waiting_release(&hall.waiting, 2)); /* reorder keeps it */
    assert_false(waiting_let_go(&hall.waiting, 3));
    assert_false(waiting_let_go(&hall.waiting, 0));
    assert_false(waiting_let_go(&hall.waiting, 5));
    check_ids(&hall, "124");
    assert_true(waiting_let_go(&hall.waiting, 1));
    check_ids(&hall, "24");
    assert_int_equal(hall.out.len, 0); /* not within the call */
    assert_int_equal(uv_run(&hall.loop, UV_RUN_NOWAIT), 1);
    assert_int_equal(hall.out.len, 2);
    valve_reset(&hall.valves[0]);
    waiting_add(&hall.waiting, &hall.waiters[0], 60000);
    check_ids(&hall, "245");
    assert_true(waiting_let_go(&hall.waiting, 5));
    hall_deinit(&hall, "ca");
}

static void test_release_all(void **state)
{
    struct hall hall;
    (void)state;
    hall_init(&hall);
    assert_int_equal(waiting_release_all(&hall.waiting), 2);
    assert_int_equal(waiting_release_all(&hall.waiting), 0);
    check_ids(&hall, "24");
    assert_true(waiting_let_go(&hall.waiting, 2));
    assert_int_equal(uv_run(&hall.loop, UV_RUN_NOWAIT), 1);
    assert_int_equal(hall.out.len, 3);
    hall_deinit(&hall, "acb");
}

static void test_unpaired(void **state)
{
    struct hall hall;
    (void)state;
    hall_init(&hall);
    assert_null(waiting_unpaired(&hall.waiting, &hold));
    assert_ptr_equal(waiting_unpaired(&hall.waiting, &reorder), &hall.waiters[1]);
    hall.waiters[1].paired = true;
    assert_ptr_equal(waiting_unpaired(&hall.waiting, &reorder), &hall.waiters[3]);
    waiting_remove(&hall.waiters[3]);
    assert_null(waiting_unpaired(&hall.waiting, &reorder));
    valve_close(&hall.valves[3]);
    hall_deinit(&hall, "");
}

/* A list in JSON of what hold keeps; where it does not fit, it says so. */
static void test_list(void **state)
{
    static const char wanted[] =
        "{\"held\":[{\"id\":1,\"exchange\":10,\"rule\":\"h\\\"\",\"side\":\"request\",\"client\":"
        "\"127.0.0.1:5000\",\"method\":\"POST\",\"target\":\"/\\u0001\",\"tool_name\":\"deposit\","
        "\"held_ms\":0},{\"id\":3,\"exchange\":12,\"rule\":\"h\\\"\",\"side\":\"request\","
        "\"client\":\"127.0.0.1:5000\",\"method\":\"POST\",\"target\":null,\"tool_name\":null,"
        "\"held_ms\":0}]}\n";
    struct hall hall;
    struct buf out;
    (void)state;
    hall_init(&hall);
    for (size_t max = 0; max < sizeof wanted; max++) {
        buf_init(&out, max);
        assert_int_equal(
            waiting_list(&hall.waiting, &out), max + 1 < sizeof wanted ? UV_ENOBUFS : 0);
        assert_memory_equal(out.data != NULL ? out.data : "", wanted, out.len);
        buf_deinit(&out);
    }
    assert_int_equal(waiting_release_all(&hall.waiting), 2);
    buf_init(&out, OUT_MAX);
    assert_int_equal(waiting_list(&hall.waiting, &out), 0);
    assert_true(slice_is(slice_of(out.data, out.len), "{\"held\":[]}\n"));
    buf_deinit(&out);
    hall_deinit(&hall, "ac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_let_go),
        cmocka_unit_test(test_release_all),
        cmocka_unit_test(test_unpaired),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
