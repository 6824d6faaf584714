/* What goes through a forward proxy that was asked by CONNECT, and TLS that passes unread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lab_builder.h"

#define CONNECT "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"
#define CONNECTED "HTTP/1.1 200 Connected\r\n\r\n"
#define HELLO "\x16\x03\x01 hello"
#define HELLO_BACK "\x16\x03\x03 hello"
#define SECRET "\x17\x03\x03 nobody reads this"

static void say_both(struct lab *lab, size_t i, int side, const char *text)
{
    lab_client_say(lab, i, side, text);
    lab_upstream_say(lab, i, side, text);
}

static void begin(struct lab *lab, size_t i, const char *asked, const char *answered)
{
    lab_open_client(lab, i);
    lab_client_say(lab, i, 0, asked);
    lab_client_say(lab, i, 1, answered);
    lab_open_upstream(lab, i);
}

static void run_calls(struct lab *lab)
{
    char text[LAB_MESSAGE];

    for (size_t i = 0; i < 3; i++) {
        begin(lab, i, CONNECT, CONNECTED);
        for (size_t k = 0; k < 3; k++) {
            say_both(lab, i, 0, lab_call(text, "b", k == 0 ? "{\"id\":1}" : "{\"id\":2}"));
            say_both(lab, i, 1, lab_answer(text, k));
        }
    }
}

static void test_calls_behind_connect(void **state)
{
    struct lab *lab = *state;

    run_calls(lab);
    assert_int_equal(lab_judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, 9);
    assert_int_equal(lab->findings.total, 0);
    /* Of what was settled no CONNECT is left. */
    if (lab->options.hold_mib == 0)
        assert_int_equal(lab->evidence.count, 0);
}

static void test_a_changed_call_behind_connect(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    run_calls(lab);
    lab_client_say(lab, 1, 0, lab_call(text, "b", "{\"id\":3}"));
    lab_upstream_say(lab, 1, 0, lab_call(text, "b", "{\"id\":4}"));
    say_both(lab, 1, 1, lab_answer(text, 3));
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_string_equal(lab->findings.items[0].place.name, "/id");
}

/* Where the proxy leads to another one, CONNECT is a request like any other. */
static void test_connect_that_goes_on(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    for (size_t i = 0; i < 2; i++) {
        lab_open_client(lab, i);
        lab_open_upstream(lab, i);
        lab_client_say(lab, i, 0, CONNECT);
        lab_upstream_say(
            lab, i, 0, i == 0 ? CONNECT : "CONNECT c:443 HTTP/1.1\r\nHost: b:443\r\n\r\n");
        say_both(lab, i, 1, CONNECTED);
        say_both(lab, i, 0, lab_call(text, "b", "{\"id\":1}"));
        say_both(lab, i, 1, lab_answer(text, 1));
    }
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.compared, 4);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].place.kind, PLACE_START_LINE);
}

/* One that is refused is the proxy's word, as any other answer of its own. */
static void test_connect_refused(void **state)
{
    struct lab *lab = *state;

    run_calls(lab);
    begin(lab, 3, CONNECT, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].kind, FINDING_UNASKED);
}

/* CHANGED: the proxy changes a byte of one. RESET: they end by RST. */
static enum verdict judge_tls(struct lab *lab, bool connect, bool changed, bool reset)
{
    for (size_t i = 0; i < 3; i++) {
        if (connect) {
            begin(lab, i, CONNECT, CONNECTED);
        } else {
            lab_open_client(lab, i);
            lab_open_upstream(lab, i);
        }
        say_both(lab, i, 0, HELLO);
        say_both(lab, i, 1, HELLO_BACK);
        lab_client_say(lab, i, 0, SECRET);
        lab_upstream_say(lab, i, 0, changed && i == 1 ? "\x17\x03\x03 nobody reads that" : SECRET);
        say_both(lab, i, 1, SECRET);
        lab_close(lab, i, reset);
    }
    return lab_judge(lab);
}

static void test_tls(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(judge_tls(lab, false, false, false), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, 3);
}

static void test_tls_behind_connect(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(judge_tls(lab, true, false, false), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, 3);
}

static void test_tls_that_is_reset(void **state)
{
    assert_int_equal(judge_tls(*state, true, false, true), VERDICT_SAME);
}

static void test_tls_that_was_changed(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(judge_tls(lab, true, true, true), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].place.kind, PLACE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_calls_behind_connect, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(
            test_a_changed_call_behind_connect, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_connect_that_goes_on, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_connect_refused, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_tls, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_tls_behind_connect, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_tls_that_is_reset, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_tls_that_was_changed, lab_setup, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
