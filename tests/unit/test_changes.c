#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/json_text.h"
#include "mitm_proxy/changes.h"

#define OUT_MAX 4096
#define ABSENT slice_of(NULL, 0)

static bool note_replaced(const struct change *change)
{
    return change_note_json(
        change, slice_str("/a~1\"b"), slice_str("9007199254740993"), slice_str("\"x\\u0000\""));
}

static bool note_added(const struct change *change)
{
    return change_note_json(change, slice_of("/a\0b", 4), ABSENT, slice_str("1"));
}

/* The pointer to all of it has no bytes. */
static bool note_whole(const struct change *change)
{
    return change_note_json(change, ABSENT, slice_str("{}"), ABSENT);
}

static bool note_field(const struct change *change)
{
    return change_note_field(change, slice_str("X-\x01"), slice_str("a\tb\xff"), slice_str(""));
}

static bool note_field_gone(const struct change *change)
{
    return change_note_field(change, slice_str("Host"), slice_str(""), ABSENT);
}

static bool note_body(const struct change *change)
{
    const struct change_body old = {0, "e3b0"}, now = {UINT64_MAX, "ba78"};
    return change_note_body(change, &old, &now);
}

static bool note_framing(const struct change *change)
{
    return change_note_framing(change, "length", "chunked");
}

static bool note_status(const struct change *change)
{
    return change_note_status(change, 0, 200) && change_note_status(change, 200, 503);
}

static bool note_numbers(const struct change *change)
{
    static const char *const names[] = {"times", "after_ms"};
    static const uint64_t numbers[] = {3, UINT64_MAX};
    return change_note_numbers(change, names, numbers, 2);
}

static bool note_alone(const struct change *change)
{
    return change_note_numbers(change, NULL, NULL, 0);
}

static bool note_text(const struct change *change)
{
    return change_note_text(change, "as", slice_str("n\n"));
}

static bool note_failed(const struct change *change)
{
    return change_note_failed(change, "not_json", "the body is no \"JSON\"");
}

/* What follows the side, the rule's name and the action. */
static const struct {
    bool (*note)(const struct change *change);
    const char *rest;  /* of the first one */
    const char *other; /* of the second, NULL: there is none */
} cases[] = {
    {note_replaced,
        ",\"pointer\":\"/a~1\\\"b\",\"old\":\"9007199254740993\",\"new\":\"\\\"x\\\\u0000\\\"\"}",
        NULL},
    {note_added, ",\"pointer\":\"/a\\u0000b\",\"old\":null,\"new\":\"1\"}", NULL},
    {note_whole, ",\"pointer\":\"\",\"old\":\"{}\",\"new\":null}", NULL},
    {note_field, ",\"field\":\"X-\\u0001\",\"old\":\"a\\tb\xef\xbf\xbd\",\"new\":\"\"}", NULL},
    {note_field_gone, ",\"field\":\"Host\",\"old\":\"\",\"new\":null}", NULL},
    {note_body,
        ",\"body\":{\"old_bytes\":0,\"old_sha256\":\"e3b0\",\"new_bytes\":18446744073709551615,"
        "\"new_sha256\":\"ba78\"}}",
        NULL},
    {note_framing, ",\"framing\":{\"old\":\"length\",\"new\":\"chunked\"}}", NULL},
    {note_status, ",\"status\":{\"old\":null,\"new\":200}}",
        ",\"status\":{\"old\":200,\"new\":503}}"},
    {note_numbers, ",\"times\":3,\"after_ms\":18446744073709551615}", NULL},
    {note_alone, "}", NULL},
    {note_text, ",\"as\":\"n\\n\"}", NULL},
    {note_failed, ",\"failed\":\"not_json\",\"reason\":\"the body is no \\\"JSON\\\"\"}", NULL},
};

#define EACH_CASE for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)

static void append(struct buf *buf, const char *start, const char *rest)
{
    assert_int_equal(buf_printf(buf, "%s%s%s", buf->len > 0 ? "," : "", start, rest), 0);
}

/* All that CASE notes twice, of a change that begins so; it is good JSON. */
static void expect(struct buf *buf, const char *start, size_t i)
{
    for (int n = 0; n < 2; n++) {
        append(buf, start, cases[i].rest);
        if (cases[i].other != NULL)
            append(buf, start, cases[i].other);
    }
}

static void check_json(const struct buf *notes)
{
    struct buf list;
    buf_init(&list, OUT_MAX);
    assert_int_equal(buf_printf(&list, "[%.*s]", (int)notes->len, notes->data), 0);
    struct json_text *json = json_text_parse(slice_of(list.data, list.len), NULL, NULL);
    assert_non_null(json);
    json_text_free(json);
    buf_deinit(&list);
}

#define BY_RULE "\"side\":\"response\",\"rule\":\"a \\\"rule\\\"\",\"action\":\"json_patch\""

static void test_by(void **state)
{
    struct buf by;
    (void)state;
    buf_init(&by, OUT_MAX);
    assert_int_equal(change_by(&by, true, slice_str("a \"rule\""), "json_patch"), 0);
    assert_true(slice_is(slice_of(by.data, by.len), BY_RULE));
    buf_clear(&by);
    assert_int_equal(change_by(&by, false, slice_str("r"), "drop"), 0);
    assert_true(slice_is(
        slice_of(by.data, by.len), "\"side\":\"request\",\"rule\":\"r\",\"action\":\"drop\""));
    buf_deinit(&by);
}

/* Two notes, one behind the other, of a rule or of an option. */
static void test_notes(void **state)
{
    static const struct {
        const char *by, *start;
    } changes[] = {
        {BY_RULE, "{" BY_RULE},
        {NULL, "{\"side\":\"request\""},
    };
    (void)state;
    for (size_t at = 0; at < sizeof changes / sizeof changes[0]; at++) {
        EACH_CASE
        {
            struct buf out, wanted;
            buf_init(&out, OUT_MAX);
            buf_init(&wanted, OUT_MAX);
            struct change change = {
                &out, changes[at].by != NULL ? slice_str(changes[at].by) : ABSENT, false};
            assert_true(cases[i].note(&change) && cases[i].note(&change));
            expect(&wanted, changes[at].start, i);
            assert_int_equal(out.len, wanted.len);
            assert_memory_equal(out.data, wanted.data, out.len);
            check_json(&out);
            buf_deinit(&out);
            buf_deinit(&wanted);
        }
    }
}

/* One that does not fit leaves what is there, and later ones may fit. */
static void test_full(void **state)
{
    (void)state;
    EACH_CASE
    {
        bool fits = false;
        if (cases[i].other != NULL)
            continue; /* it makes two */
        for (size_t max = 18; !fits; max++) {
            struct buf out;
            assert_true(max < OUT_MAX);
            buf_init(&out, max);
            assert_int_equal(buf_append_str(&out, "{\"side\":\"request\"}"), 0);
            struct change change = {&out, slice_str(BY_RULE), false};
            fits = cases[i].note(&change);
            assert_true(fits ? out.len == max : out.len == 18);
            assert_memory_equal(out.data, "{\"side\":\"request\"}", 18);
            check_json(&out);
            buf_deinit(&out);
        }
    }
}

static void test_concealed(void **state)
{
    (void)state;
    EACH_CASE
    {
        struct buf out;
        buf_init(&out, 0);
        struct change change = {&out, slice_str(BY_RULE), true};
        assert_true(cases[i].note(&change));
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_concealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
