#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mitm_proxy/json_equal.h"
#include "mitm_proxy/json_splice.h"
#include "tests/unit/patch_rules.h"
#include "tests/unit/scarce_memory.h"

struct splice_case {
    const char *text, *patch;
    const char *result; /* or the word of the problem, after "!" */
};

#define OP(op, path, rest) "{\"op\":\"" op "\",\"path\":\"" path "\"" rest "}"
#define REPLACE(path, value) OP("replace", path, ",\"value\":" value)
#define ADD(path, value) OP("add", path, ",\"value\":" value)
#define TEST(path, value) OP("test", path, ",\"value\":" value)
#define REMOVE(path) OP("remove", path, "")
#define MOVE(from, path) OP("move", path, ",\"from\":\"" from "\"")
#define COPY(from, path) OP("copy", path, ",\"from\":\"" from "\"")

static const struct splice_case replace_cases[] = {
    {" {\"a\" : 1 ,\"b\":\t2}\n", REPLACE("/a", "{ \"x\":1.0 }"),
        " {\"a\" : { \"x\":1.0 } ,\"b\":\t2}\n"},
    {"{\"a\":1}", REPLACE("/a", "9007199254740993"), "{\"a\":9007199254740993}"},
    {"{\"id\":9007199254740993,\"e\":1e400,\"s\":\"a\\u0000b\",\"c\":1}", REPLACE("/c", "2"),
        "{\"id\":9007199254740993,\"e\":1e400,\"s\":\"a\\u0000b\",\"c\":2}"},
    {"{\"\\u0000k\":1,\"k\":2}", REPLACE("/\\u0000k", "\"\\u0000\""),
        "{\"\\u0000k\":\"\\u0000\",\"k\":2}"},
    {"{\"\\u0061\":1}", REPLACE("/a", "2"), "{\"\\u0061\":2}"},
    {"{\"a/b\":1,\"m~n\":2}", REPLACE("/a~1b", "3") "," REPLACE("/m~0n", "4"),
        "{\"a/b\":3,\"m~n\":4}"},
    {"{\"~1\":1}", REPLACE("/~01", "2"), "{\"~1\":2}"},
    {"{\"\":1}", REPLACE("/", "2"), "{\"\":2}"},
    {"[1,2,3]", REPLACE("/1", "\"x\""), "[1,\"x\",3]"},
    {" 1 ", REPLACE("", "[]"), " [] "},
    /* the last of those with the same key */
    {"{\"a\":1,\"a\":2}", REPLACE("/a", "3"), "{\"a\":1,\"a\":3}"},
    {"{\"a\":{\"x\":1},\"a\":{\"y\":2}}", REPLACE("/a/x", "3"), "!path_not_found"},
    {"{\"a\":1}", REPLACE("/b", "1"), "!path_not_found"},
    {"[1]", REPLACE("/-", "1"), "!path_not_found"},
    {"[1]", REPLACE("/01", "1"), "!path_not_found"},
    {"[1]", REPLACE("/1", "1"), "!path_not_found"},
    {"1", REPLACE("/a", "1"), "!path_not_found"},
    {"{\"a\":1", REPLACE("/a", "1"), "!not_json"},
    {"", REPLACE("/a", "1"), "!not_json"},
    {"<a>", REPLACE("/a", "1"), "!not_json"},
};

static const struct splice_case add_cases[] = {
    {"{}", ADD("/a", "1"), "{\"a\":1}"},
    {"{ }", ADD("/a", "1"), "{\"a\":1 }"},
    {"{\"a\": 1, \"b\": 2}", ADD("/c", "3"), "{\"a\": 1, \"b\": 2, \"c\": 3}"},
    {"{\n  \"a\" : 1\n}", ADD("/b", "2"), "{\n  \"a\" : 1,\n  \"b\" : 2\n}"},
    {"{\"a\":1}", ADD("/a", "2"), "{\"a\":2}"},
    {"{\"a\":1,\"a\":2}", ADD("/a", "3"), "{\"a\":1,\"a\":3}"},
    {"{}", ADD("/\\u0000\\\"~1", "1"), "{\"\\u0000\\\"/\":1}"},
    {"{}", ADD("/-", "1"), "{\"-\":1}"},
    {"[]", ADD("/-", "1"), "[1]"},
    {"[]", ADD("/0", "1"), "[1]"},
    {"[1, 2]", ADD("/-", "3"), "[1, 2, 3]"},
    {"[1, 2]", ADD("/2", "3"), "[1, 2, 3]"},
    {"[1, 2]", ADD("/0", "0"), "[0, 1, 2]"},
    {"[1, 2]", ADD("/1", "0"), "[1, 0, 2]"},
    {"[\n 1\n]", ADD("/-", "{}"), "[\n 1,\n {}\n]"},
    {"[1]", ADD("/2", "1"), "!path_not_found"},
    {"[1]", ADD("/00", "1"), "!path_not_found"},
    {"[1]", ADD("/x", "1"), "!path_not_found"},
    {"{}", ADD("/a/b", "1"), "!path_not_found"},
    {"{\"a\":\"\"}", ADD("/a/b", "1"), "!path_not_found"},
    {"{\"a\":1}", ADD("", "[2]"), "[2]"},
};

static const struct splice_case remove_cases[] = {
    {"{\"a\":1}", REMOVE("/a"), "{}"},
    {"{ \"a\" : 1 }", REMOVE("/a"), "{  }"},
    {"{\"a\":1, \"b\":2, \"c\":3}", REMOVE("/a"), "{\"b\":2, \"c\":3}"},
    {"{\"a\":1, \"b\":2, \"c\":3}", REMOVE("/b"), "{\"a\":1, \"c\":3}"},
    {"{\"a\":1, \"b\":2, \"c\":3 }", REMOVE("/c"), "{\"a\":1, \"b\":2 }"},
    {"[1, 2 ,3]", REMOVE("/1"), "[1, 3]"},
    {"[1, 1]", REMOVE("/0"), "[1]"},
    {"[ 1 ]", REMOVE("/0"), "[  ]"},
    /* all of those with the same key, however it is spelt */
    {"{\"a\":1,\"b\":2,\"\\u0061\":3,\"c\":4}", REMOVE("/a"), "{\"b\":2,\"c\":4}"},
    {"{\"a\":1, \"a\":2}", REMOVE("/a"), "{}"},
    {"{\"b\":0, \"a\":1, \"a\":2}", REMOVE("/a"), "{\"b\":0}"},
    {"{\"a\":1}", REMOVE("/b"), "!path_not_found"},
    {"[1]", REMOVE("/-"), "!path_not_found"},
};

static const struct splice_case move_cases[] = {
    {"{\"a\":1.0,\"b\":[ 2 ]}", MOVE("/a", "/b/0"), "{\"b\":[ 1.0, 2 ]}"},
    {"[1,2,3]", MOVE("/0", "/2"), "[2,3,1]"},
    {"[1,2,3]", MOVE("/0", "/3"), "!path_not_found"},
    {"{\"a\":1,\"a\":2}", MOVE("/a", "/b"), "{\"b\":2}"},
    {"{ \"a\":1 }", MOVE("/a", "/a"), "{ \"a\":1 }"},
    {"{\"a\":{\"b\":1}}", MOVE("/a/b", "/a"), "{\"a\":1}"},
    {"{\"a\":{\"b\":1}}", MOVE("/a/b", ""), "1"},
    {"{\"a\":1e2}", COPY("/a", "/b"), "{\"a\":1e2,\"b\":1e2}"},
    {"{\"a\":[1]}", COPY("", "/a/-"), "{\"a\":[1,{\"a\":[1]}]}"},
    {"{\"a\":1}", COPY("/b", "/a"), "!path_not_found"},
};

static const struct splice_case test_cases[] = {
    {"{\"a\": 1.0}", TEST("/a", "10e-1"), "{\"a\": 1.0}"},
    {"{\"a\":9007199254740993}", TEST("/a", "9007199254740992"), "!test_failed"},
    {"{\"a\":\"\\u00e9\\u0000\"}", TEST("/a", "\"é\\u0000\""), "{\"a\":\"\\u00e9\\u0000\"}"},
    {"{\"a\":{\"x\":1,\"y\":[true,null]}}", TEST("/a", "{\"y\":[true,null],\"x\":1}"),
        "{\"a\":{\"x\":1,\"y\":[true,null]}}"},
    {"{\"x\":0,\"x\":1}", TEST("", "{\"x\":1}"), "{\"x\":0,\"x\":1}"},
    {"{\"x\":1,\"y\":2}", TEST("", "{\"x\":1}"), "!test_failed"},
    {"{\"x\":1}", TEST("", "{\"x\":1,\"y\":2}"), "!test_failed"},
    {"[1]", TEST("", "[1,2]"), "!test_failed"},
    {"[1,2]", TEST("", "[1]"), "!test_failed"},
    {"{\"a\":\"1\"}", TEST("/a", "1"), "!test_failed"},
    {"{\"a\":null}", TEST("/b", "null"), "!path_not_found"},
    /* all or nothing */
    {"{\"a\":1}", REPLACE("/a", "2") "," TEST("/a", "1"), "!test_failed"},
    {"{\"a\":1}", TEST("/a", "1") "," REPLACE("/a", "2") "," TEST("/a", "2"), "{\"a\":2}"},
};

/* OUT begins with what must stay: the result is appended, or nothing. */
static void check_case(const struct splice_case *c)
{
    struct buf patch, errors, out;
    struct json_splice_problem problem;
    buf_init(&patch, 4096);
    buf_init(&errors, 4096);
    buf_init(&out, 4096);
    assert_int_equal(buf_printf(&patch, "[%s]", c->patch), 0);
    assert_int_equal(buf_append_str(&out, ">"), 0);
    struct rules *rules = patch_rules(slice_of(patch.data, patch.len), &errors);
    if (rules == NULL)
        fail_msg("%s: %.*s", c->patch, (int)errors.len, errors.data);
    const struct rule_patch *ops = patch_of(rules);
    bool good = patch_text(slice_str(c->text), ops->ops, ops->count, &out, NULL, &problem);
    const char *got = good ? "" : problem.word;
    assert_true(good || problem.reason != NULL);
    assert_true(good || out.len == 1);
    if (good != (c->result[0] != '!') || (!good && strcmp(c->result + 1, got) != 0) ||
        (good && !slice_is(slice_of(out.data + 1, out.len - 1), c->result)))
        fail_msg("%s with %s: %s%.*s, not %s", c->text, c->patch, got, (int)out.len, out.data,
            c->result);
    rules_free(rules);
    buf_deinit(&patch);
    buf_deinit(&errors);
    buf_deinit(&out);
}

#define CHECK_ALL(table)                                                                           \
    for (size_t i = 0; i < sizeof(table) / sizeof(table)[0]; i++)                                  \
    check_case(&(table)[i])

static void test_operations(void **state)
{
    (void)state;
    CHECK_ALL(replace_cases);
    CHECK_ALL(add_cases);
    CHECK_ALL(remove_cases);
    CHECK_ALL(move_cases);
    CHECK_ALL(test_cases);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } cases[] = {
        {"1", "1.0", true},
        {"100", "1e2", true},
        {"0.001", "1E-3", true},
        {"-0", "0", true},
        {"0e99999999999999999999", "0", true},
        {"-1", "1", false},
        {"12.5", "1.25e+1", true},
        {"12.50", "12.05", false},
        {"101", "11", false},
        {"1", "10", false},
        {"9007199254740993", "9007199254740992", false},
        {"1e400", "10e399", true},
        {"1e99999999999999999999", "1e99999999999999999999", true},
        {"1e99999999999999999999", "1e99999999999999999998", false},
        {"1e000000000000000000001", "10", true},
        {"0.1e1", "1", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice a = slice_str(cases[i].a), b = slice_str(cases[i].b);
        if (json_number_equal(a, b) != cases[i].equal || json_number_equal(b, a) != cases[i].equal)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
}

static void test_limits(void **state)
{
    const char *text = "{\"a\":[1]}";
    struct json_op op = {JSON_OP_ADD, slice_str("/b"), {NULL, 0}, slice_str("22")};
    struct json_splice_problem problem;
    struct buf out;
    (void)state;
    buf_init(&out, 16); /* the result has exactly so many */
    assert_true(patch_text(slice_str(text), &op, 1, &out, NULL, &problem));
    assert_int_equal(out.len, 16);
    buf_deinit(&out);
    buf_init(&out, 15);
    assert_false(patch_text(slice_str(text), &op, 1, &out, NULL, &problem));
    assert_string_equal(problem.word, "too_large");
    buf_deinit(&out);
    buf_init(&out, 8);
    assert_false(patch_text(slice_str(text), &op, 1, &out, NULL, &problem));
    assert_string_equal(problem.word, "too_large");
    buf_deinit(&out);
}

/* A document as deep as may be takes no value that has a depth of its own. */
static void test_depth(void **state)
{
    char text[2 * JSON_TEXT_DEPTH_MAX + 1] = "";
    char path[2 * JSON_TEXT_DEPTH_MAX + 1] = "";
    struct json_splice_problem problem;
    struct buf out;
    (void)state;
    memset(text, '[', JSON_TEXT_DEPTH_MAX);
    memset(text + JSON_TEXT_DEPTH_MAX, ']', JSON_TEXT_DEPTH_MAX);
    for (size_t i = 0; i < JSON_TEXT_DEPTH_MAX; i++) {
        path[2 * i] = '/';
        path[2 * i + 1] = i < JSON_TEXT_DEPTH_MAX - 1 ? '0' : '-';
    }
    struct json_op op = {JSON_OP_ADD, slice_str(path), {NULL, 0}, slice_str("1")};
    buf_init(&out, 4096);
    assert_true(patch_text(slice_str(text), &op, 1, &out, NULL, &problem));
    assert_int_equal(out.len, strlen(text) + 1);
    buf_clear(&out);
    op.value = slice_str("[]");
    assert_false(patch_text(slice_str(text), &op, 1, &out, NULL, &problem));
    assert_string_equal(problem.word, "bad_result");
    assert_int_equal(out.len, 0);
    buf_deinit(&out);
}

static void on_change(void *arg, struct slice pointer, struct slice old, struct slice new_text)
{
    assert_int_equal(buf_printf(arg, "%.*s %.*s -> %.*s\n", (int)pointer.len, pointer.data,
                         (int)old.len, old.data != NULL ? old.data : "", (int)new_text.len,
                         new_text.data != NULL ? new_text.data : ""),
        0);
}

static void test_watch(void **state)
{
    struct buf heard, out;
    struct json_splice_problem problem;
    struct json_splice_watch watch = {on_change, &heard};
    const struct json_op ops[] = {
        {JSON_OP_REPLACE, slice_str("/a"), {NULL, 0}, slice_str("1e3")},
        {JSON_OP_ADD, slice_str("/b"), {NULL, 0}, slice_str("[]")},
        {JSON_OP_MOVE, slice_str("/b/-"), slice_str("/a"), {NULL, 0}},
        {JSON_OP_TEST, slice_str("/b/0"), {NULL, 0}, slice_str("1000")},
    };
    (void)state;
    buf_init(&heard, 4096);
    buf_init(&out, 4096);
    assert_true(patch_text(slice_str("{\"a\":0.0}"), ops, 4, &out, &watch, &problem));
    assert_true(slice_is(slice_of(out.data, out.len), "{\"b\":[1e3]}"));
    assert_true(slice_is(
        slice_of(heard.data, heard.len), "/a 0.0 -> 1e3\n/b  -> []\n/a 1e3 -> \n/b/-  -> 1e3\n"));
    buf_deinit(&heard);
    buf_deinit(&out);
}

/* What rules_load would refuse is no harm here either. */
static void test_hand_made(void **state)
{
    struct json_splice_problem problem;
    struct buf out;
    const struct {
        struct json_op op;
        const char *word;
    } cases[] = {
        {{JSON_OP_REMOVE, slice_str(""), {NULL, 0}, {NULL, 0}}, "no_document"},
        {{JSON_OP_REMOVE, slice_str("a"), {NULL, 0}, {NULL, 0}}, "path_not_found"},
        {{JSON_OP_REMOVE, slice_str("/~"), {NULL, 0}, {NULL, 0}}, "path_not_found"},
        {{JSON_OP_MOVE, slice_str("/a/b"), slice_str("/a"), {NULL, 0}}, "bad_move"},
        {{JSON_OP_TEST, slice_str("/a"), {NULL, 0}, slice_str("x")}, "bad_value"},
        {{JSON_OP_ADD, slice_str("/a"), {NULL, 0}, slice_str("}")}, "bad_result"},
    };
    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(patch_text(slice_str("{\"a\":{}}"), &cases[i].op, 1, &out, NULL, &problem));
        assert_string_equal(problem.word, cases[i].word);
        assert_int_equal(out.len, 0);
    }
    buf_deinit(&out);
}

/* Wherever memory runs out, the word says so and nothing was done. */
static void test_memory(void **state)
{
    const struct json_op ops[] = {
        {JSON_OP_TEST, slice_str("/a"), {NULL, 0}, slice_str("{\"x\":\"y\"}")},
        {JSON_OP_ADD, slice_str("/b"), {NULL, 0}, slice_str("[]")},
        {JSON_OP_MOVE, slice_str("/b/-"), slice_str("/a"), {NULL, 0}},
        {JSON_OP_COPY, slice_str("/c"), slice_str("/b"), {NULL, 0}},
        {JSON_OP_REMOVE, slice_str("/b"), {NULL, 0}, {NULL, 0}},
    };
    struct json_splice_problem problem;
    struct buf out;
    bool done = false;
    long count = 0;
    (void)state;
    buf_init(&out, 4096);
    for (; !done && count < 1000; count++) {
        scarce_memory(count);
        done = patch_text(slice_str("{\"a\":{\"x\":\"y\"}}"), ops, 5, &out, NULL, &problem);
        scarce_memory(-1);
        assert_true(done || (out.len == 0 && strcmp(problem.word, "no_memory") == 0));
    }
    assert_true(done && count > 10);
    assert_true(slice_is(slice_of(out.data, out.len), "{\"c\":[{\"x\":\"y\"}]}"));
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_hand_made),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
