#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "lib/clock.h"
#include "lib/json_text.h"

static struct json_text *parse(const char *text)
{
    struct json_text *json = json_text_parse(slice_str(text), NULL, NULL);
    assert_non_null(json);
    return json;
}

static void assert_slice(struct slice slice, const char *expected)
{
    assert_int_equal(slice.len, strlen(expected));
    assert_memory_equal(slice.data, expected, slice.len);
}

/* Reads a file into memory that ends where the text ends, so that a sanitizer sees an overrun. */
static struct slice read_case(const char *name)
{
    static char bytes[4096];
    char path[1024];
    snprintf(path, sizeof path, "%s/json/%s", TEST_DATA, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    char *text = malloc(len);
    assert_true(text != NULL || len == 0);
    if (len > 0)
        memcpy(text, bytes, len);
    return slice_of(text, len);
}

static void check_case(const char *name)
{
    struct slice text = read_case(name);
    const char *why = NULL;
    size_t at = SIZE_MAX;
    struct json_text *json = json_text_parse(text, &why, &at);
    if ((json != NULL) != (name[0] == 'y'))
        fail_msg("%s: %s", name, json != NULL ? "was accepted" : why);
    assert_true((json == NULL) == (why != NULL));
    assert_true(at <= text.len);
    json_text_free(json);
    free((void *)(uintptr_t)text.data);
}

static void test_cases(void **state)
{
    (void)state;
    DIR *dir = opendir(TEST_DATA "/json");
    assert_non_null(dir);
    int cases = 0;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != 'y' && entry->d_name[0] != 'n')
            continue;
        check_case(entry->d_name);
        cases++;
    }
    closedir(dir);
    assert_true(cases > 100);
}

static void test_says_where(void **state)
{
    (void)state;
    const char *why;
    size_t at;
    assert_null(json_text_parse(slice_str("{\"a\" 1}"), &why, &at));
    assert_string_equal(why, "a colon is expected here");
    assert_int_equal(at, 5);
    assert_null(json_text_parse(slice_str("{\"a\":"), &why, &at));
    assert_string_equal(why, "the text ends too early");
    assert_int_equal(at, 5);
}

/* Everything that begins a valid document but is not one. */
static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    const char *text = "{\"a\":[1.5e+3,\"\\u00e9\\n\",true,null,{\"b\":{}}],\"c\":-0}";
    for (size_t len = 0; len < strlen(text); len++)
        assert_null(json_text_parse(slice_of(text, len), NULL, NULL));
    json_text_free(parse(text));
}

static void test_exact_text(void **state)
{
    (void)state;
    const char *pairs[][2] = {
        {"/id", "9007199254740993"},
        {"/big", "1e400"},
        {"/nul", "\"a\\u0000b\""},
        {"/o", "{ \"x\" :\t1.0 }"},
        {"/list/0", "-0.10"},
        {"/list/1", "[ ]"},
        {"/yes", "true"},
    };
    struct json_text *json =
        parse(" {\"id\": 9007199254740993 , \"big\":1e400,\"nul\":\"a\\u0000b\",\"o\":{ \"x\" "
              ":\t1.0 },\"list\":[-0.10,[ ]],\"yes\":true}");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_slice(json_text_raw(json, json_text_find(json, pairs[i][0])), pairs[i][1]);
    assert_slice(json_text_key(json, json_text_find(json, "/big")), "\"big\"");
    assert_null(json_text_key(json, 0).data);
    assert_null(json_text_key(json, json_text_find(json, "/list/0")).data);
    assert_null(json_text_raw(json, -1).data);
    json_text_free(json);
}

static void test_types(void **state)
{
    (void)state;
    static const enum json_type types[] = {JSON_OBJECT, JSON_ARRAY, JSON_STRING, JSON_NUMBER,
        JSON_NUMBER, JSON_TRUE, JSON_FALSE, JSON_NULL};
    struct json_text *json = parse("[{\"k\":[0]},[[]],\"{\",-1,0,true,false,null]");
    size_t n = 0;
    for (int v = json_text_first(json, 0); v >= 0; v = json_text_next(json, v))
        assert_int_equal(json_text_type(json, v), types[n++]);
    assert_int_equal(n, sizeof types / sizeof types[0]);
    assert_int_equal(json_text_type(json, -1), JSON_NONE);
    assert_int_equal(json_text_type(json, 1000), JSON_NONE);
    assert_int_equal(json_text_next(json, 0), -1);
    json_text_free(json);
}

static void test_siblings_of_an_object(void **state)
{
    (void)state;
    static const char *const keys[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\""};
    struct json_text *json = parse("{\"a\":{\"x\":{\"y\":1}},\"b\":[],\"c\":{},\"d\":\"s\"}");
    size_t n = 0;
    for (int v = json_text_first(json, 0); v >= 0; v = json_text_next(json, v))
        assert_slice(json_text_key(json, v), keys[n++]);
    assert_int_equal(n, 4);
    assert_int_equal(json_text_first(json, json_text_find(json, "/b")), -1);
    assert_int_equal(json_text_first(json, json_text_find(json, "/c")), -1);
    assert_int_equal(json_text_first(json, json_text_find(json, "/d")), -1);
    json_text_free(json);
}

/* The cases of RFC 6901 §5 and what lies beside them. */
static void test_pointers(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/foo/0", "\"bar\""},
        {"/foo/1", "\"baz\""},
        {"/", "0"},
        {"/a~1b", "1"},
        {"/c%d", "2"},
        {"/e^f", "3"},
        {"/i\\j", "5"},
        {"/k\"l", "6"},
        {"/ ", "7"},
        {"/m~0n", "8"},
        {"/~01", "9"},
        {"/foo/2", NULL},
        {"/foo/-", NULL},
        {"/foo/00", NULL},
        {"/foo/+1", NULL},
        {"/foo/", NULL},
        {"/foo/0/0", NULL},
        {"/foo/99999999999999999999", NULL},
        {"foo", NULL},
        {"/m~2n", NULL},
        {"/m~", NULL},
        {"/nothing", NULL},
        {"/a", NULL},
    };
    struct json_text *json =
        parse("{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a\\/b\":1,\"c%d\":2,\"e^f\":3,\"i\\\\j\":5,"
              "\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int value = json_text_find(json, cases[i][0]);
        if ((value >= 0) != (cases[i][1] != NULL))
            fail_msg("pointer %s", cases[i][0]);
        if (value >= 0)
            assert_slice(json_text_raw(json, value), cases[i][1]);
    }
    assert_int_equal(json_text_find(json, ""), 0);
    json_text_free(json);
}

static void test_members(void **state)
{
    (void)state;
    struct json_text *json =
        parse("{\"a\":1,\"\\u0061\":2,\"b\":3,\"b\\u0000\":4,\"a\":{\"a\":5}}");
    assert_slice(json_text_raw(json, json_text_member(json, 0, "a")), "{\"a\":5}");
    assert_slice(json_text_raw(json, json_text_member(json, 0, "b")), "3");
    assert_int_equal(json_text_member(json, 0, "c"), -1);
    assert_int_equal(json_text_member(json, json_text_find(json, "/b"), "a"), -1);
    json_text_free(json);

    json = parse("{\"a\":1,\"\\u0061\":2}");
    assert_slice(json_text_raw(json, json_text_member(json, 0, "a")), "2");
    const struct slice keys[] = {slice_str("none"), slice_str("a")};
    int values[2];
    json_text_members(json, 0, 2, keys, values);
    assert_int_equal(values[0], -1);
    assert_slice(json_text_raw(json, values[1]), "2");
    json_text_free(json);
}

static void assert_decodes(const char *raw, const char *expected, size_t len)
{
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(json_string_decode(slice_str(raw), &out), 0);
    assert_int_equal(out.len, len);
    if (len > 0)
        assert_memory_equal(out.data, expected, len);
    assert_true(json_string_is(slice_str(raw), slice_of(expected, len)));
    assert_false(json_string_is(slice_str(raw), slice_of("other", 5)));
    buf_deinit(&out);
}

static void test_decode(void **state)
{
    (void)state;
    assert_decodes("\"\"", "", 0);
    assert_decodes("\"plain\"", "plain", 5);
    assert_decodes("\"a\\u0000b\"", "a\0b", 3);
    assert_decodes("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_decodes("\"\\u00e9\\u20AC\"", "\xc3\xa9\xe2\x82\xac", 5);
    assert_decodes("\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4);
    assert_decodes("\"\\ud83d\"", "\xef\xbf\xbd", 3);
    assert_decodes("\"\\ude00x\"", "\xef\xbf\xbdx", 4);
    assert_decodes("\"\\ud83d\\u0041\"",
        "\xef\xbf\xbd"
        "A",
        4);
    assert_decodes("\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80", 7);
    assert_decodes("\"\xff\"", "\xff", 1);
}

static void test_decode_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "\"", "1", "abc", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\\u000\""};
    struct buf out;
    buf_init(&out, 64);
    assert_int_equal(buf_append_str(&out, "kept"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(json_string_decode(slice_str(bad[i]), &out), UV_EINVAL);
        assert_int_equal(out.len, 4);
        assert_false(json_string_is(slice_str(bad[i]), slice_str("")));
    }
    buf_deinit(&out);
}

static void assert_encodes(const char *text, size_t len, const char *expected)
{
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(json_string_encode(slice_of(text, len), &out), 0);
    assert_slice(slice_of(out.data, out.len), expected);
    buf_deinit(&out);
}

static void test_encode(void **state)
{
    (void)state;
    assert_encodes(NULL, 0, "\"\"");
    assert_encodes("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_encodes("\b\f\n\r\t\v", 6, "\"\\b\\f\\n\\r\\t\\u000b\"");
    assert_encodes("a\0b", 3, "\"a\\u0000b\"");
    assert_encodes("\x1f\x7f", 2, "\"\\u001f\\u007f\"");
    assert_encodes("\xc2\x9b\xc2\xa0", 4, "\"\\u009b\xc2\xa0\"");
    assert_encodes("\xe2\x80\xae\xef\xbb\xbf", 6, "\"\\u202e\\ufeff\"");
    assert_encodes("\xf3\xa0\x81\x81", 4, "\"\\udb40\\udc41\"");
    assert_encodes("\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    assert_encodes("\xff", 1, "\"\xef\xbf\xbd\"");
    assert_encodes("\xc3", 1, "\"\xef\xbf\xbd\"");
    assert_encodes("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_encodes("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_encodes("\xf4\x90\x80\x80", 4, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_encodes("\xe2\x82z", 3, "\"\xef\xbf\xbd\xef\xbf\xbdz\"");
}

static void test_encode_round_trip(void **state)
{
    (void)state;
    char all[128];
    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)i;
    struct buf encoded;
    struct buf decoded;
    buf_init(&encoded, 4096);
    buf_init(&decoded, 4096);
    assert_int_equal(json_string_encode(slice_of(all, sizeof all), &encoded), 0);
    json_text_free(json_text_parse(slice_of(encoded.data, encoded.len), NULL, NULL));
    assert_int_equal(json_string_decode(slice_of(encoded.data, encoded.len), &decoded), 0);
    assert_int_equal(decoded.len, sizeof all);
    assert_memory_equal(decoded.data, all, sizeof all);
    buf_deinit(&encoded);
    buf_deinit(&decoded);
}

static void test_encode_keeps_to_the_cap(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 6);
    assert_int_equal(json_string_encode(slice_str("abcde"), &out), UV_ENOBUFS);
    assert_int_equal(out.len, 0);
    assert_int_equal(json_string_encode(slice_str("abcd"), &out), 0);
    buf_deinit(&out);
}

static void assert_line(const char *text, size_t max, const char *expected)
{
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(json_text_line(slice_str(text), max, &out), 0);
    assert_slice(slice_of(out.data, out.len), expected);
    buf_deinit(&out);
}

static void test_line(void **state)
{
    (void)state;
    assert_line("", 100, "");
    assert_line("{\"a\": 1,  \"b\":2}", 100, "{\"a\": 1,  \"b\":2}");
    assert_line("{\r\n  \"a\":\t1\n}\n", 100, "{ \"a\": 1 }");
    assert_line("\"a  b\\\" \xc3\xa9\"", 100, "\"a  b\\\" \xc3\xa9\"");
    assert_line("\"\x7f\xc2\x9b\"", 100, "\"\\u007f\\u009b\"");
    assert_line("\"\xf3\xa0\x81\x81\"", 100, "\"\\udb40\\udc41\"");
    assert_line("not\x1b[31m\xff \"json\n", 100, "not\\u001b[31m\xef\xbf\xbd \"json\\u000a");
    assert_line("\"\\\\\"\n\"", 100, "\"\\\\\" \"");
    assert_line("12345", 5, "12345");
    assert_line("123456", 5, "12345…");
    assert_line("1234\xc3\xa9", 5, "1234…");
    assert_line("a   b  \n  ", 100, "a   b");
}

/* A look for a line break from every space of a long run takes hours. */
static void test_line_of_spaces(void **state)
{
    (void)state;
    struct buf text, out;
    buf_init(&text, 8 << 20);
    buf_init(&out, 16 << 20);
    assert_int_equal(buf_reserve(&text, text.max), 0);
    memset(text.data, ' ', text.max);
    text.len = text.max;
    assert_int_equal(json_text_line(slice_of(text.data, text.len), out.max, &out), 0);
    assert_int_equal(out.len, text.len);
    buf_deinit(&text);
    buf_deinit(&out);
}

/* UNIT over and over up to LEN bytes; a quadratic parser takes minutes. */
static void assert_quick(const char *prefix, const char *unit, size_t len)
{
    struct buf text;
    buf_init(&text, len + 1024);
    assert_int_equal(buf_append_str(&text, prefix), 0);
    while (text.len < len)
        assert_int_equal(buf_append_str(&text, unit), 0);
    uint64_t start = clock_monotonic_ns();
    json_text_free(json_text_parse(slice_of(text.data, text.len), NULL, NULL));
    assert_true(clock_monotonic_ns() - start < 2000000000);
    buf_deinit(&text);
}

static void test_hostile_input_stays_quick(void **state)
{
    (void)state;
    assert_quick("", "[", 1 << 20);
    assert_quick("", "{\"a\":", 1 << 20);
    assert_quick("[", "[],", 1 << 20);
    assert_quick("[", "{\"a\":[{}]},", 1 << 20);
    assert_quick("\"", "\\u0000", 1 << 20);
    assert_quick("", "9", 1 << 20);
    assert_quick("", " ", 1 << 20);
}

static void test_many_values(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(buf_append_str(&text, "[0"), 0);
    for (int i = 2; i < JSON_TEXT_TOKENS_MAX; i++)
        assert_int_equal(buf_append_str(&text, ",0"), 0);
    assert_int_equal(buf_append_str(&text, "]"), 0);
    struct json_text *json = json_text_parse(slice_of(text.data, text.len), NULL, NULL);
    assert_non_null(json);
    assert_slice(json_text_raw(json, json_text_find(json, "/65534")), "0");
    assert_int_equal(json_text_find(json, "/65535"), -1);
    json_text_free(json);
    text.data[text.len - 1] = ',';
    assert_int_equal(buf_append_str(&text, "0]"), 0);
    const char *why;
    assert_null(json_text_parse(slice_of(text.data, text.len), &why, NULL));
    assert_string_equal(why, "it has too many values");
    buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_says_where),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_exact_text),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_siblings_of_an_object),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_decode_refuses),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_round_trip),
        cmocka_unit_test(test_encode_keeps_to_the_cap),
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_line_of_spaces),
        cmocka_unit_test(test_hostile_input_stays_quick),
        cmocka_unit_test(test_many_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
