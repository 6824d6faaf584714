/* agent_b's memory of nonces: how long it lasts and where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "agent_b/nonces.h"

#define CAPACITY 5
#define MANY 1000

static enum nonces_result add(struct nonces *nonces, int number, int64_t now)
{
    char text[32];
    snprintf(text, sizeof text, "nonce %d", number);
    return nonces_add(nonces, slice_str(text), now, now + 60);
}

static void test_seen_until_its_end(void **state)
{
    (void)state;
    struct nonces *nonces = nonces_new(CAPACITY);
    assert_non_null(nonces);
    assert_int_equal(add(nonces, 1, 1000), NONCES_NEW);
    assert_int_equal(add(nonces, 1, 1000), NONCES_SEEN);
    assert_int_equal(add(nonces, 2, 1001), NONCES_NEW);
    assert_int_equal(add(nonces, 1, 1060), NONCES_SEEN);
    assert_int_equal(add(nonces, 1, 1061), NONCES_NEW);
    assert_int_equal(add(nonces, 2, 1061), NONCES_SEEN);
    nonces_free(nonces);
}

/* Full of live ones, it takes no more rather than forget one. */
static void test_full(void **state)
{
    (void)state;
    struct nonces *nonces = nonces_new(CAPACITY);
    for (int i = 0; i < CAPACITY; i++)
        assert_int_equal(add(nonces, i, 1000 + i), NONCES_NEW);
    assert_int_equal(add(nonces, CAPACITY, 1010), NONCES_FULL);
    for (int i = 0; i < CAPACITY; i++)
        assert_int_equal(add(nonces, i, 1010), NONCES_SEEN);
    assert_int_equal(add(nonces, CAPACITY, 1061), NONCES_NEW);
    assert_int_equal(add(nonces, 0, 1061), NONCES_FULL);
    nonces_free(nonces);
}

/* The ring goes round, and chains of every length come and go. */
static void test_many(void **state)
{
    (void)state;
    struct nonces *nonces = nonces_new(100);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(add(nonces, i, i), NONCES_NEW);
        assert_int_equal(add(nonces, i, i), NONCES_SEEN);
        if (i >= 60)
            assert_int_equal(add(nonces, i - 60, i), NONCES_SEEN);
    }
    nonces_free(nonces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seen_until_its_end),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
