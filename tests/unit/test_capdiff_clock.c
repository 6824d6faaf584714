/* clock_offset.h: exchanges that two recordings have in, how far their clocks are apart out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capturer/capdiff/clock_offset.h"

#define START 1000000000u
#define EXCHANGES 3

/* One connection seen by two recordings. */
struct wire {
    struct connection near, far;
    struct exchange near_items[EXCHANGES], far_items[EXCHANGES];
    struct exchange *near_list[EXCHANGES];
    struct connection *list[1];
    struct connections table;
};

static int setup(void **state)
{
    struct wire *wire = calloc(1, sizeof(*wire));

    wire->near.leg = LEG_UPSTREAM;
    wire->near.how = PAIR_ISN;
    wire->near.towards_server = &wire->far;
    wire->near.http.items = wire->near_list;
    wire->near.http.count = EXCHANGES;
    for (size_t i = 0; i < EXCHANGES; i++) {
        wire->near_list[i] = &wire->near_items[i];
        wire->near_items[i].connection = &wire->near;
        wire->near_items[i].after = &wire->far_items[i];
    }
    wire->list[0] = &wire->near;
    wire->table.items = wire->list;
    wire->table.count = 1;
    *state = wire;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* The I-th exchange, with these times on the way there and back, and clocks that far apart. */
static void exchange(struct wire *wire, size_t i, int64_t there, int64_t back, int64_t apart)
{
    uint64_t asked = START + i * 1000000;

    wire->near_items[i].request.first_ns = asked;
    wire->far_items[i].request.first_ns = asked + (uint64_t)(there + apart);
    wire->far_items[i].response.first_ns = asked + 500000 + (uint64_t)apart;
    wire->near_items[i].response.first_ns = asked + 500000 + (uint64_t)back;
}

static struct clock_offset find(struct wire *wire)
{
    struct clock_offset offset = {0};

    clock_offset_find(&offset, &wire->table, LEG_UPSTREAM);
    clock_offset_end(&offset);
    return offset;
}

static void test_zero_fits(void **state)
{
    struct clock_offset offset;

    for (size_t i = 0; i < EXCHANGES; i++)
        exchange(*state, i, 1000 + (int64_t)i * 500, 3000, 0);
    offset = find(*state);
    assert_true(clock_offset_known(&offset));
    assert_int_equal(clock_offset_ns(&offset), 0);
    assert_int_equal(offset.low_ns, -3000);
    assert_int_equal(offset.high_ns, 1000);
    assert_int_equal(clock_offset_uncertainty_ns(&offset), 3000);
    assert_false(offset.crossed);
}

/* The quickest way there and the quickest way back decide, whichever exchanges those were. */
static void test_apart(void **state)
{
    static const int64_t aparts[] = {5000000, -5000000, 3600000000000};

    for (size_t i = 0; i < 3; i++) {
        struct clock_offset offset;
        int64_t error;

        exchange(*state, 0, 2000, 90000, aparts[i]);
        exchange(*state, 1, 70000, 1000, aparts[i]);
        exchange(*state, 2, 50000, 50000, aparts[i]);
        offset = find(*state);
        assert_int_equal(offset.low_ns, aparts[i] - 1000);
        assert_int_equal(offset.high_ns, aparts[i] + 2000);
        error = clock_offset_ns(&offset) - aparts[i];
        assert_true(error >= -1500 && error <= 1500);
        assert_int_equal(clock_offset_uncertainty_ns(&offset), 1500);
    }
}

static void test_a_clock_that_was_set(void **state)
{
    struct clock_offset offset;

    exchange(*state, 0, 1000, 1000, 0);
    exchange(*state, 1, 1000, 1000, 40000000);
    exchange(*state, 2, 1000, 1000, 40000000);
    offset = find(*state);
    assert_true(offset.crossed);
    assert_int_equal(offset.low_ns, 1000);
    assert_int_equal(offset.high_ns, 40000000 - 1000);
}

/* One direction alone bounds one side alone; pairs that are only likely say nothing. */
static void test_not_known(void **state)
{
    struct wire *wire = *state;
    struct clock_offset offset;

    for (size_t i = 0; i < EXCHANGES; i++) {
        exchange(wire, i, 1000, 1000, 7000000);
        wire->far_items[i].response.first_ns = 0;
    }
    offset = find(wire);
    assert_int_equal(offset.requests, EXCHANGES);
    assert_false(clock_offset_known(&offset));
    assert_int_equal(clock_offset_ns(&offset), 0);
    exchange(wire, 0, 1000, 1000, 7000000);
    wire->near.how = PAIR_CONTENT;
    offset = find(wire);
    assert_false(clock_offset_known(&offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_zero_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_that_was_set, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_known, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
