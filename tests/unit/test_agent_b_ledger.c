#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "agent_b/ledger.h"

static void test_amounts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t cents; /* 0: refused */
    } cases[] = {
        {"1", 100},
        {"10.5", 1050},
        {"10.50", 1050},
        {"0.01", 1},
        {"0.1", 10},
        {"90071992547409.93", 9007199254740993},
        {"1000000000000000", LEDGER_CENTS_MAX},
        {"1000000000000000.00", LEDGER_CENTS_MAX},
        {"1000000000000000.01", 0},
        {"10000000000000000", 0},
        {"100000000000000000", 0},
        {"99999999999999999999999999999999", 0},
        {"0", 0},
        {"0.00", 0},
        {"-1", 0},
        {"1.001", 0},
        {"1.000", 0},
        {"1e2", 0},
        {"1.5E1", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t cents;
        const char *why = NULL;
        bool good = ledger_read_amount(slice_str(cases[i].text), &cents, &why);
        if (good != (cases[i].cents > 0) || (good && cents != cases[i].cents))
            fail_msg("%s", cases[i].text);
        assert_non_null(why);
    }
}

static void test_the_reason_fits_the_amount(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"1.00000000000000000000", "two decimals"},
        {"1.23456789012345678901", "two decimals"},
        {"-5", "above zero"},
        {"1000000000000000.01", "greater"},
        {"99999999999999999999.5", "greater"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t cents;
        const char *why;
        assert_false(ledger_read_amount(slice_str(cases[i][0]), &cents, &why));
        if (strstr(why, cases[i][1]) == NULL)
            fail_msg("%s: %s", cases[i][0], why);
    }
}

static void assert_prints(const struct ledger *ledger, const char *expected)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(ledger_print(ledger, &out), 0);
    assert_int_equal(out.len, strlen(expected));
    assert_memory_equal(out.data, expected, out.len);
    buf_deinit(&out);
}

static void test_deposits(void **state)
{
    (void)state;
    struct ledger *ledger = ledger_new();
    int64_t balance = 0;
    assert_prints(ledger, "{}");
    assert_int_equal(ledger_deposit(ledger, slice_str("alice"), 10, &balance), 0);
    assert_int_equal(ledger_deposit(ledger, slice_of("b\"\0", 3), 100, &balance), 0);
    assert_int_equal(ledger_deposit(ledger, slice_str("alice"), 20, &balance), 0);
    assert_int_equal(balance, 30);
    assert_prints(ledger, "{\"alice\":0.30,\"b\\\"\\u0000\":1.00}");
    assert_int_equal(
        ledger_deposit(ledger, slice_str("alice"), LEDGER_CENTS_MAX, &balance), UV_ERANGE);
    assert_int_equal(
        ledger_deposit(ledger, slice_str("alice"), LEDGER_CENTS_MAX - 30, &balance), 0);
    assert_int_equal(balance, LEDGER_CENTS_MAX);
    ledger_free(ledger);
}

static void test_limits(void **state)
{
    (void)state;
    struct ledger *ledger = ledger_new();
    int64_t balance = 0;
    char name[LEDGER_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    assert_int_equal(ledger_deposit(ledger, slice_of(name, 0), 1, &balance), UV_EINVAL);
    assert_int_equal(
        ledger_deposit(ledger, slice_of(name, LEDGER_NAME_MAX + 1), 1, &balance), UV_EINVAL);
    for (int i = 0; i < LEDGER_ACCOUNTS_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(ledger_deposit(ledger, slice_str(name), 1, &balance), 0);
    }
    assert_int_equal(ledger_deposit(ledger, slice_str("more"), 1, &balance), UV_ENOSPC);
    assert_int_equal(ledger_deposit(ledger, slice_str("0"), 1, &balance), 0);
    ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_the_reason_fits_the_amount),
        cmocka_unit_test(test_deposits),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
