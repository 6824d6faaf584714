/* json_diff.h: two JSON texts in, the places where they differ and the patch between them out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capturer/capdiff/json_align.h"
#include "capturer/capdiff/json_diff.h"
#include "capturer/capdiff/json_edit.h"
#include "lib/clock.h"

#define TEXT_MAX ((size_t)8192)

struct told {
    char places[TEXT_MAX], patch[TEXT_MAX], notes[TEXT_MAX];
    size_t count, shadowed;
};

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *text, const char *format, ...)
{
    size_t len = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + len, TEXT_MAX - len, format, args);
    va_end(args);
}

static void collect(void *arg, const struct json_difference *difference)
{
    static const char *const whats[] = {"", " spacing", " order"};
    struct told *told = arg;
    struct slice before = difference->before, after = difference->after;
    struct buf patch;
    int status;

    told->count++;
    told->shadowed += difference->shadowed;
    append(told->places, "%.*s %.*s>%.*s%s\n", (int)difference->pointer.len,
        difference->pointer.data, (int)before.len, before.data != NULL ? before.data : "",
        (int)after.len, after.data != NULL ? after.data : "", whats[difference->what]);
    buf_init(&patch, TEXT_MAX);
    status = json_patch_append(difference, &patch);
    append(told->patch, "%s%.*s\n", status != 0 ? "not told" : "", (int)patch.len,
        patch.data != NULL ? patch.data : "");
    append(told->notes, "%s\n", difference->note != NULL ? difference->note : "");
    buf_deinit(&patch);
}

static struct told told;

static void diff(const char *before, const char *after)
{
    struct json_text *a = json_text_parse(slice_str(before), NULL, NULL);
    struct json_text *b = json_text_parse(slice_str(after), NULL, NULL);

    memset(&told, 0, sizeof(told));
    assert_non_null(a);
    assert_non_null(b);
    json_diff(a, b, collect, &told);
    json_text_free(a);
    json_text_free(b);
}

static void assert_json(const char *before, const char *after, const char *places)
{
    diff(before, after);
    assert_string_equal(told.places, places);
}

static void assert_patch(const char *before, const char *after, const char *patch)
{
    diff(before, after);
    assert_string_equal(told.patch, patch);
}

static void test_places(void **state)
{
    (void)state;
    assert_json("{\"a\":1}", "{\"a\":1}", "");
    assert_json("{\"a/b\":{\"~\":1}}", "{\"a/b\":{\"~\":2}}", "/a~1b/~0 1>2\n");
    assert_json("{\"a\":1,\"b\":2}", "{\"a\":1}", "/b 2>\n");
    assert_json("{\"a\":1}", "{\"b\":5,\"a\":1}", "/b >5\n");
    assert_json(
        "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", " {\"a\":1,\"b\":2}>{\"b\":2,\"a\":1} order\n");
    assert_json("9007199254740993", "9007199254740992", " 9007199254740993>9007199254740992\n");
    assert_json("\"\\u0041\"", "\"A\"", " \"\\u0041\">\"A\"\n");
    assert_json("1.0", "1", " 1.0>1\n");
    assert_json("{\"a\":[]}", "{\"a\":{}}", "/a []>{}\n");
    assert_json("{\"\\u0061\":1}", "{\"a\":2}", "/a 1>2\n {\"\\u0061\":1}>{\"a\":2} spacing\n");
}

/* A change does not hide another one: the white space beside it is told, too. */
static void test_layout(void **state)
{
    (void)state;
    assert_json("{\"a\":1}", "{\"a\": 1}", " {\"a\":1}>{\"a\": 1} spacing\n");
    assert_json("[1,2]", "[1, 2]", " [1,2]>[1, 2] spacing\n");
    assert_json("[1,[2]]", "[1,[ 2]]", "/1 [2]>[ 2] spacing\n");
    assert_json("{\"a\":1,\"b\":2}", "{\"a\":3, \"b\":2}",
        "/a 1>3\n {\"a\":1,\"b\":2}>{\"a\":3, \"b\":2} spacing\n");
    assert_json("{\"a\":1,\"b\":2,\"c\":3}", "{\"c\":4,\"a\":1}",
        "/b 2>\n/c 3>4\n {\"a\":1,\"b\":2,\"c\":3}>{\"c\":4,\"a\":1} order\n");
    assert_json("{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1, \"c\":3}", "/b 2>\n");
}

static void test_arrays_are_aligned(void **state)
{
    (void)state;
    assert_json("[1,2]", "[1,2,3]", "/2 >3\n");
    assert_json("[1,2,3]", "[0,1,2,3]", "/0 >0\n");
    assert_json("[1,2,3]", "[1,9,3]", "/1 2>9\n");
    assert_json("[1,2,3,4]", "[2,3,4]", "/0 1>\n");
    assert_json("[\"a\",\"b\"]", "[\"b\",\"c\"]", "/0 \"a\">\n/2 >\"c\"\n");
    assert_json("[{\"id\":1,\"v\":1},{\"id\":2,\"v\":2}]",
        "[{\"id\":9,\"v\":1},{\"id\":1,\"v\":1},{\"id\":2,\"v\":3}]",
        "/0 >{\"id\":9,\"v\":1}\n/1/v 2>3\n");
    assert_patch("[1,2,3,4]", "[2,3,9,4]",
        "{\"op\":\"remove\",\"path\":\"/0\"}\n"
        "{\"op\":\"add\",\"path\":\"/2\",\"value\":9}\n");
    assert_patch("{\"a\":[1,[2,3]],\"b\":1}", "{\"a\":[0,1,[2]],\"c\":1}",
        "{\"op\":\"add\",\"path\":\"/a/0\",\"value\":0}\n"
        "{\"op\":\"remove\",\"path\":\"/a/2/1\"}\n"
        "{\"op\":\"remove\",\"path\":\"/b\"}\n"
        "{\"op\":\"add\",\"path\":\"/c\",\"value\":1}\n");
    assert_patch("[1]", "[ 1]", "\n");
}

/* RFC 6902 cannot name one of two members with the same key: the object is replaced, once. */
static void test_repeated_keys(void **state)
{
    (void)state;
    assert_json("{\"o\":{\"a\":1,\"a\":2,\"b\":3}}", "{\"o\":{\"a\":9,\"a\":8,\"b\":7}}",
        "/o/a 1>9\n/o/a 2>8\n/o/b 3>7\n");
    assert_int_equal(told.shadowed, 1);
    assert_string_equal(told.patch,
        "{\"op\":\"replace\",\"path\":\"/o\",\"value\":{\"a\":9,\"a\":8,\"b\":7}}\n\n\n");
    assert_non_null(strstr(told.notes, "more than once"));
    diff("{\"id\":1}", "{\"id\":1,\"id\":2}");
    assert_non_null(strstr(told.notes, "more than once"));
    diff("{\"id\":1}", "{\"id\":1,\"ID\":2}");
    assert_string_equal(told.patch, "{\"op\":\"add\",\"path\":\"/ID\",\"value\":2}\n");
    assert_non_null(strstr(told.notes, "letter case"));
    diff("{\"\\u0069d\":1,\"id\":2}", "{\"\\u0069d\":1,\"id\":3}");
    assert_non_null(strstr(told.notes, "more than once"));
}

static void test_patch_text(void **state)
{
    (void)state;
    assert_patch("{\"a\\u0000\\n\\\"~/\":1}", "{\"a\\u0000\\n\\\"~/\":[ 1,\n2 ]}",
        "{\"op\":\"replace\",\"path\":\"/a\\u0000\\n\\\"~0~1\",\"value\":[ 1, 2 ]}\n");
    assert_patch("1", "\"\xe2\x80\xae\x7f\"",
        "{\"op\":\"replace\",\"path\":\"\",\"value\":\"\\u202e\\u007f\"}\n");
    assert_patch("1", "\"\xff\"", "not told\n");
    assert_patch("{\"\xff\":1}", "{\"\xff\":2}", "not told\n");
}

/* TEXT with its end, where there is room for it. */
static void put(char *at, const char *text)
{
    memcpy(at, text, strlen(text) + 1);
}

static void append_numbers(char *text, size_t from, size_t count, size_t step)
{
    size_t len = strlen(text);

    text[len++] = '[';
    for (size_t i = 0; i < count; i++)
        len += (size_t)sprintf(text + len, i > 0 ? ",%zu" : "%zu", from + i * step);
    put(text + len, "]");
}

static void count(void *arg, const struct json_difference *difference)
{
    (void)difference;
    ++*(size_t *)arg;
}

static size_t count_differences(const char *before, const char *after)
{
    struct json_text *a = json_text_parse(slice_str(before), NULL, NULL);
    struct json_text *b = json_text_parse(slice_str(after), NULL, NULL);
    size_t found = 0;

    assert_non_null(a);
    assert_non_null(b);
    json_diff(a, b, count, &found);
    json_text_free(a);
    json_text_free(b);
    return found;
}

/* Past the maximum what stands once is still found again; and the time stays bounded. */
static void test_big_arrays(void **state)
{
    size_t size = (size_t)1 << 20;
    char *a = calloc(1, size), *b = calloc(1, size);
    uint64_t start = clock_monotonic_ns();

    (void)state;
    append_numbers(a, 1, 60000, 1);
    put(b, "[0,");
    append_numbers(b + 3, 1, 59999, 1);
    b[3] = ' ';
    put(b + strlen(b) - 1, ",\"end\"]");
    assert_int_equal(count_differences(a, b), 2);
    a[0] = b[0] = '\0';
    append_numbers(a, 0, 60000, 2);
    append_numbers(b, 0, 60000, 3);
    assert_true(count_differences(a, b) < 80001);
    memset(a, '1', size);
    memset(b, '1', size);
    for (size_t i = 0; i < 60000; i++)
        a[2 * i + 2] = b[2 * i + 2] = ',';
    put(a + 120000, "]");
    put(b + 110000, "]");
    a[0] = b[0] = '[';
    a[1] = '2';
    assert_in_range(count_differences(a, b), 1, 6001);
    assert_true(clock_monotonic_ns() - start < 5000000000u); /* sanitizers and a busy machine */
    free(a);
    free(b);
}

static void test_deep_and_many_keys(void **state)
{
    size_t size = (size_t)1 << 20;
    char *a = calloc(1, size), *b = calloc(1, size);
    size_t len = 0;

    (void)state;
    memset(a, '[', 127);
    memset(a + 127, ']', 127);
    memcpy(b, a, 254);
    memmove(b + 128, b + 127, 128);
    b[127] = '1';
    assert_int_equal(count_differences(a, b), 1);
    for (size_t i = 0; i < 30000; i++)
        len += (size_t)sprintf(a + len, "%c\"key%zu\":%zu", i > 0 ? ',' : '{', i, i);
    put(a + len, "}");
    put(b, a);
    strstr(b, ":29999")[5] = '8';
    assert_int_equal(count_differences(a, b), 1);
    free(a);
    free(b);
}

/* A pointer has a maximum: what is longer is cut, and its operation is not told. */
static void test_long_keys(void **state)
{
    size_t len = JSON_POINTER_MAX + 10;
    char *a = calloc(1, len + 16), *b;

    (void)state;
    put(a, "{\"");
    memset(a + 2, 'k', len);
    put(a + 2 + len, "\":[1]}");
    b = strdup(a);
    b[2 + len + 3] = '2';
    assert_json(a, b, " 1>2\n");
    assert_string_equal(told.patch, "not told\n");
    assert_non_null(strstr(told.notes, "too long"));
    free(a);
    free(b);
}

/* What a text is once a value has changed; RESULT NULL: that was not there to be changed. */
struct edit_case {
    const char *text, *pointer, *before, *after, *result;
};

static const struct edit_case edit_cases[] = {
    {" {\"a\" : 1 ,\"b\":2}\n", "/a", "1", "[ ]", " {\"a\" : [ ] ,\"b\":2}\n"},
    {"{\"a\":1}", "/a", "2", "3", NULL},
    {"{\"a\":1.0}", "/a", "1", "3", NULL},
    {"{\"a\":1,\"a\":2}", "/a", "2", "3", "{\"a\":1,\"a\":3}"},
    {"{\"a\":1,\"a\":2}", "/a", "1", "3", NULL},
    {" 1 ", "", "1", "[]", " [] "},
    {"1", "", "1", NULL, NULL},
    {"1", "", NULL, "1", NULL},
    {"{\"a\": 1, \"b\": 2}", "/c", NULL, "3", "{\"a\": 1, \"b\": 2, \"c\": 3}"},
    {"{\n  \"a\" : 1\n}", "/b", NULL, "2", "{\n  \"a\" : 1,\n  \"b\" : 2\n}"},
    {"{ }", "/a~1\"", NULL, "1", "{\"a/\\\"\":1 }"},
    {"{\"a\":1}", "/a", NULL, "2", NULL},
    {"[1, 2]", "/1", NULL, "0", "[1, 0, 2]"},
    {"[1, 2]", "/-", NULL, "3", "[1, 2, 3]"},
    {"[1, 2]", "/2", NULL, "3", "[1, 2, 3]"},
    {"[1, 2]", "/3", NULL, "3", NULL},
    {"[]", "/0", NULL, "3", "[3]"},
    {"[1, 2 ,3 ]", "/1", "2", NULL, "[1, 3 ]"},
    {"[1, 2 ,3 ]", "/2", "3", NULL, "[1, 2 ]"},
    {"[ 1 ]", "/0", "1", NULL, "[  ]"},
    {"[1]", "/-", "1", NULL, NULL},
    {"{ \"b\":1, \"a\":2, \"\\u0062\":3 }", "/b", "3", NULL, "{ \"a\":2 }"},
    {"{\"b\":1 ,\"b\":2}", "/b", "2", NULL, "{}"},
    {"{\"a\":{\"x\":1}}", "/a/y", "1", NULL, NULL},
    {"{\"a\":\"\"}", "/a/b", NULL, "1", NULL},
    {"{\"a\":1", "/a", "1", "2", NULL},
};

static struct slice text_or_absent(const char *text)
{
    return text != NULL ? slice_str(text) : slice_of(NULL, 0);
}

static void test_edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(edit_cases) / sizeof(edit_cases[0]); i++) {
        const struct edit_case *c = &edit_cases[i];
        struct buf out;
        bool done;

        buf_init(&out, 1024);
        done = json_edit(slice_str(c->text), slice_str(c->pointer), text_or_absent(c->before),
            text_or_absent(c->after), &out);
        assert_int_equal(done, c->result != NULL);
        if (c->result == NULL)
            assert_int_equal(out.len, 0);
        else if (!slice_is(slice_of(out.data, out.len), c->result))
            fail_msg("%s at \"%s\" became %.*s and not %s", c->text, c->pointer, (int)out.len,
                out.data, c->result);
        buf_deinit(&out);
    }
}

/* The log has U+FFFD in the place of bytes that are no UTF-8. */
static void test_told(void **state)
{
    (void)state;
    assert_true(json_edit_told(slice_str("\"a\xff\""), slice_str("\"a\xef\xbf\xbd\"")));
    assert_true(json_edit_told(slice_str(""), slice_str("")));
    assert_true(json_edit_told(slice_of(NULL, 0), slice_of(NULL, 0)));
    assert_false(json_edit_told(slice_of(NULL, 0), slice_str("")));
    assert_false(json_edit_told(slice_str("1"), slice_str("2")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_arrays_are_aligned),
        cmocka_unit_test(test_repeated_keys),
        cmocka_unit_test(test_patch_text),
        cmocka_unit_test(test_big_arrays),
        cmocka_unit_test(test_deep_and_many_keys),
        cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_edits),
        cmocka_unit_test(test_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
