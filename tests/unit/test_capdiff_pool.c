/* pool.h: a proxy that sends the calls of many clients over a few connections to the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/lab_builder.h"

#define CLIENTS 6
#define UPSTREAMS 2
#define ROUNDS 5

static int setup(void **state)
{
    int status = lab_setup(state);

    for (size_t i = 0; i < CLIENTS; i++)
        lab_open_client(*state, i);
    for (size_t i = 0; i < UPSTREAMS; i++)
        lab_open_upstream(*state, i);
    return status;
}

static const char *call(char *out, const char *host, const char *id, size_t number)
{
    char body[128];

    snprintf(body, sizeof(body), "{\"id\":\"%s\",\"number\":%zu}", id, number);
    return lab_call(out, host, body);
}

/* All clients ask; the calls go by whatever connection is next; answers come back in turn. */
static void run_pool(struct lab *lab, const char *host, bool same_ids, bool same_bodies)
{
    char text[LAB_MESSAGE], id[16];

    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < CLIENTS; i++) {
            size_t number = round * CLIENTS + i;

            snprintf(id, sizeof(id), "call-%zu", same_ids ? 1 : number);
            lab_client_say(lab, i, 0, call(text, "a", id, same_bodies ? 1 : number));
        }
        for (size_t i = 0; i < CLIENTS; i++) {
            size_t number = round * CLIENTS + i, by = (number + round) % UPSTREAMS;

            snprintf(id, sizeof(id), "call-%zu", same_ids ? 1 : number);
            lab_upstream_say(lab, by, 0, call(text, host, id, same_bodies ? 1 : number));
            lab_upstream_say(lab, by, 1, lab_answer(text, same_bodies ? 1 : number));
            lab_client_say(lab, i, 1, text);
        }
    }
}

static uint64_t pooled(const struct lab *lab, enum pair_how how)
{
    uint64_t count = 0;

    for (int sure = 0; sure < PAIR_SURENESSES; sure++)
        count += lab->evidence.pooled[how][sure];
    return count;
}

static void assert_rightly_paired(const struct lab *lab)
{
    for (size_t i = 0; i < lab->evidence.count; i++) {
        const struct crossing *crossing = &lab->evidence.crossings[i];
        const struct exchange *near = crossing->at[VIEW_CLIENT_LEG];
        const struct exchange *far = crossing->at[VIEW_UPSTREAM_LEG];

        assert_non_null(near);
        assert_non_null(far);
        assert_non_null(crossing->at[VIEW_SERVER]);
        assert_true(message_equal(&near->request, &far->request));
    }
}

static void test_by_call_id(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "a", false, false);
    assert_int_equal(lab_judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, CLIENTS * ROUNDS);
    assert_int_equal(lab->evidence.pooled[PAIR_CALL_ID][PAIR_SURE], CLIENTS * ROUNDS);
}

/* What the proxy changes in every call is found in every call, and nothing else is. */
static void test_changed_field(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "b", false, false);
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, CLIENTS * ROUNDS);
    for (size_t i = 0; i < lab->findings.count; i++)
        assert_string_equal(lab->findings.items[i].place.text, "request field Host");
}

/* An id that stands twice proves nothing: bodies do. */
static void test_repeated_ids(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "a", true, false);
    assert_int_equal(lab_judge(lab), VERDICT_SAME);
    assert_int_equal(lab->evidence.pooled[PAIR_CONTENT][PAIR_SURE], CLIENTS * ROUNDS);
    assert_int_equal(pooled(lab, PAIR_CALL_ID), 0);
    assert_rightly_paired(lab);
}

static void test_all_alike(void **state)
{
    struct lab *lab = *state;

    run_pool(lab, "a", true, true);
    assert_int_equal(lab_judge(lab), VERDICT_SAME);
    assert_int_equal(lab->findings.compared, CLIENTS * ROUNDS);
    assert_int_equal(lab->evidence.pooled[PAIR_ORDER][PAIR_LIKELY], CLIENTS * ROUNDS);
}

static void test_changed_beyond_recognition(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    run_pool(lab, "a", false, false);
    lab_client_say(lab, 0, 0, call(text, "a", "mine", 900));
    lab_upstream_say(lab, 1, 0, call(text, "a", "thine", 901));
    lab_upstream_say(lab, 1, 1, lab_answer(text, 900));
    lab_client_say(lab, 0, 1, text);
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 3); /* id, number, and the length that follows */
    assert_int_equal(lab->evidence.pooled[PAIR_LIKENESS][PAIR_GUESS], 1);
}

static void test_left_over(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    run_pool(lab, "a", false, false);
    lab_upstream_say(lab, 1, 0, call(text, "a", "call-3", 3));
    lab_upstream_say(lab, 1, 1, lab_answer(text, 3));
    lab_upstream_say(lab, 0, 0, call(text, "a", "nobody's", 902));
    lab_upstream_say(lab, 0, 1, lab_answer(text, 902));
    lab_client_say(lab, 0, 0, call(text, "a", "mine", 900));
    lab_client_say(lab, 0, 1, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 3);
    assert_int_equal(lab->findings.items[0].kind, FINDING_DUPLICATED);
    assert_int_equal(lab->findings.items[1].kind, FINDING_INVENTED);
    assert_int_equal(lab->findings.items[2].kind, FINDING_UNASKED);
}

/* A call that was sent twice at once: one of the two was asked for. */
static void test_sent_twice(void **state)
{
    struct lab *lab = *state;
    char text[LAB_MESSAGE];

    run_pool(lab, "a", false, false);
    lab_client_say(lab, 0, 0, call(text, "a", "twice", 900));
    for (size_t i = 0; i < UPSTREAMS; i++)
        lab_upstream_say(lab, i, 0, call(text, "a", "twice", 900));
    for (size_t i = 0; i < UPSTREAMS; i++)
        lab_upstream_say(lab, i, 1, lab_answer(text, 900));
    lab_client_say(lab, 0, 1, text);
    assert_int_equal(lab_judge(lab), VERDICT_DIFFER);
    assert_int_equal(lab->findings.total, 1);
    assert_int_equal(lab->findings.items[0].kind, FINDING_DUPLICATED);
    assert_int_equal(pooled(lab, PAIR_ORDER), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_call_id, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_changed_field, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_repeated_ids, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_all_alike, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_changed_beyond_recognition, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_left_over, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(test_sent_twice, setup, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
