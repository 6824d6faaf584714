#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mitm_proxy/rules.h"
#include "tests/unit/event_outcome.h"

#define SPLITS 6 /* at random, of each case */

struct edit_case {
    const char *actions, *content;
    const char *result;
    const char *told;
};

#define EDIT(rest) "{\"edit_event\":{" rest "}}"
#define DATA(rest, data) EDIT(rest "\"data\":\"" data "\"")
#define PATCH(rest, path, value)                                                                   \
    EDIT(rest "\"json_patch\":[{\"op\":\"replace\",\"path\":\"" path "\",\"value\":" value "}]")
#define DROP(rest) "{\"drop_event\":{" rest "}}"
#define INJECT(nth, rest) "{\"inject_event\":{\"after_nth\":" nth "," rest "}}"
#define STALL(nth, ms) "{\"stall\":{\"after_nth\":" nth ",\"ms\":" ms "}}"
#define BOM "\xef\xbb\xbf"

static const struct edit_case byte_cases[] = {
    /* no event is concerned: no byte is another */
    {DATA("\"nth\":9,", "x"), BOM ":c\r\ndata: a\r\rretry: 1\n\nid\nfoo:bar\ndata\n\n\n\r\n", NULL,
        ""},
    {DATA("\"type\":\"ping\",", "x"), "event:pong\ndata: a\n\ndata:b\n\n", NULL, ""},
    {DROP("\"type\":\"ping\""), "event: ping\n\n: ping\n\nevent: ping\nid: 1\n\n", NULL, ""},
    /* and nor is one that is cut off */
    {DROP(""), "data: a\n", NULL, ""},
    {DROP(""), "data: a", NULL, ""},
    {DROP(""), "data: a\r", NULL, ""},
    {DROP(""), "data: a\r\n", NULL, ""},
    {DROP(""), "dat", NULL, ""},
    {DROP(""), "", NULL, ""},
    {DROP(""), BOM, NULL, ""},
    {DROP(""), "\xef\xbb", NULL, ""},
    {DROP(""),
        "\xef\xbb\xbe"
        "data: a\n\n",
        NULL, ""},
    {DROP(""), "\xef", NULL, ""},
    {DROP(""), BOM BOM "data: a\n\n", NULL, ""},
    {DROP(""), " data: a\n\nDATA: a\n\ndatas: a\n\ndat: a\n\n", NULL, ""},
};

static const struct edit_case drop_cases[] = {
    {DROP(""), "data: a\n\ndata: b\n\n", "", "0 0"},
    {DROP("\"nth\":2"), "data: a\n\ndata: b\n\ndata: c\n\n", "data: a\n\ndata: c\n\n", "0"},
    {DROP("\"nth\":2"), "data: a\r\rdata: b\r\rdata: c\r\r", "data: a\r\rdata: c\r\r", "0"},
    {DROP("\"nth\":1"), "data: a\r\n\r\ndata: b\r\n\r\n", "data: b\r\n\r\n", "0"},
    {DROP("\"nth\":1"), "data: a\n\rdata: b\r\n\n", "data: b\r\n\n", "0"},
    {DROP("\"nth\":1"), "data: a\n\r\ndata: b\n\n", "data: b\n\n", "0"},
    {DROP("\"nth\":1"), "data: a\r\r\ndata: b\n\n", "\ndata: b\n\n", "0"},
    {DROP("\"nth\":2"), "data: a\r\r\ndata: b\n\n", "data: a\r\r\n", "0"},
    {DROP(""), "data: a\r\n\r", "", "0"},
    {DROP(""), "data: a\r\r", "", "0"},
    {DROP(""), BOM "data\n\n", BOM, "0"},
    /* comments before the first line stay, also while what follows is held */
    {DROP(""), ": a\n\r\n:b\r\ndata: a\n: c\n\n:d\n", ": a\n\r\n:b\r\n:d\n", "0"},
    /* the last type counts, and an empty one is none */
    {DROP("\"type\":\"a\""), "event: b\nevent:a\ndata:\n\nevent: a\nevent: b\ndata:\n\n",
        "event: a\nevent: b\ndata:\n\n", "0"},
    {DROP("\"type\":\"message\""), "event: b\nevent\ndata:\n\nevent:\ndata:\n\ndata:\n\n", "",
        "0 0 0"},
    {DROP("\"type\":\" a\""), "event:  a\ndata\n\nevent: a\ndata\n\n", "event: a\ndata\n\n", "0"},
    {DROP("\"type\":\"p*\""), "event: p\ndata\n\nevent: q\ndata\n\ndata\nevent: po\n\n",
        "event: q\ndata\n\n", "0 0"},
    /* the nth of its type; a type does not outlive its block */
    {DROP("\"type\":\"a\",\"nth\":2"),
        "data:1\n\nevent:a\ndata:2\n\nevent:a\n\ndata:3\n\nevent:a\ndata:4\n\nevent:a\ndata:5\n\n",
        "data:1\n\nevent:a\ndata:2\n\nevent:a\n\ndata:3\n\nevent:a\ndata:5\n\n", "0"},
};

static const struct edit_case data_cases[] = {
    {DATA("", "x"), "data: a\n\n", "data: x\n\n", "0"},
    {DATA("", "x"), "data:a\r\n\r\n", "data:x\r\n\r\n", "0"},
    {DATA("", "x"), "data\n\n", "data: x\n\n", "0"},
    {DATA("", ""), "data: a\n\n", "data: \n\n", "0"},
    {DATA("", " x"), "data:a\n\n", "data:  x\n\n", "0"},
    {DATA("", "a"), "data:a\n\n", "data:a\n\n", ""},
    {DATA("", "a\\nb"), "data: a\ndata:b\n\n", "data: a\ndata:b\n\n", ""},
    {DATA("", "x\\ny\\r\\nz\\r"), "id: 1\rdata: a\rfoo\rdata: b\r: c\r\r",
        "id: 1\rdata: x\rdata: y\rdata: z\rdata: \rfoo\r: c\r\r", "0"},
    /* the break of the data line, and all others stay */
    {DATA("", "x\\ny"), "id: 1\rdata: a\nevent: e\r\n\n", "id: 1\rdata: x\ndata: y\nevent: e\r\n\n",
        "0"},
    {DATA("", "x\\ny"), "id: 1\ndata: a\r\n\r\n", "id: 1\ndata: x\r\ndata: y\r\n\r\n", "0"},
    /* a CR and an LF that now meet are no CRLF: the line between them stays */
    {DATA("", "x"), "data: a\rdata: b\n\ndata: c\n\n", "data: x\r\n\ndata: x\n\n", "0 0"},
    {DATA("", "x"), "data: a\rid\rdata: b\ndata\r\n\nid\n", "data: x\rid\r\n\nid\n", "0"},
    {DATA("\"nth\":2,", "x"), ":\n\nid: 0\n\ndata: a\n\ndata: b\n\ndata: c\n\n",
        ":\n\nid: 0\n\ndata: a\n\ndata: x\n\ndata: c\n\n", "0"},
    {PATCH("", "/a", "[2]"), "data: {\"a\": 1, \"b\":9007199254740993}\nid: 1\n\n",
        "data: {\"a\": [2], \"b\":9007199254740993}\nid: 1\n\n", "0"},
    {PATCH("", "/a", "2"), "data:{\ndata:  \"a\":1\ndata: }\n\n",
        "data:{\ndata:  \"a\":2\ndata:}\n\n", "0"},
    {PATCH("", "/a", "2"), "data: {}\n\ndata: [DONE]\n\ndata: {\"a\":2}\n\n",
        "data: {}\n\ndata: [DONE]\n\ndata: {\"a\":2}\n\n", "0!path_not_found 0!not_json"},
    /* each action to what the one before has left; a dropped event counts */
    {DATA("\"nth\":1,", "{\\\"a\\\":1}") "," PATCH("", "/a", "2") "," DROP("\"nth\":2"),
        "data: x\n\ndata: {\"a\":0}\n\n", "data: {\"a\":2}\n\n", "0 1 1 2"},
    {DROP("\"nth\":1") "," DROP("") "," DATA("", "x"), "data: a\n\n", "", "0"},
    {DROP("\"nth\":1") "," DATA("\"nth\":2,", "x"), "data: a\n\ndata: b\n\n", "data: x\n\n", "0 1"},
};

static const struct edit_case after_cases[] = {
    {INJECT("0", "\"data\":\"x\""), "data: a\n\n", "data: x\n\ndata: a\n\n", "0"},
    {INJECT("0", "\"data\":\"x\""), BOM "data: a\r\n\r\n", BOM "data: x\n\ndata: a\r\n\r\n", "0"},
    {INJECT("0", "\"data\":\"x\""), BOM, BOM "data: x\n\n", "0"},
    {INJECT("0", "\"data\":\"x\""), "", "data: x\n\n", "0"},
    {INJECT("0", "\"data\":\"x\""), "\xef\xbb", "data: x\n\n\xef\xbb", "0"},
    {INJECT("1", "\"type\":\"t\",\"id\":\"7\",\"data\":\" x\\ny\\r\\n\""),
        "data: a\r\n\r\ndata: b\n\n",
        "data: a\r\n\r\nevent: t\r\nid: 7\r\ndata:  x\r\ndata: y\r\ndata: \r\n\r\ndata: b\n\n",
        "0"},
    {INJECT("1", "\"type\":\"\",\"data\":\"\""), ":\r\rid: 1\r\rdata: a\r\rdata: b\r\r",
        ":\r\rid: 1\r\rdata: a\r\revent: \rdata: \r\rdata: b\r\r", "0"},
    {INJECT("1", "\"data\":\"x\""), "data: a\r\n\r", "data: a\r\n\rdata: x\r\r", "0"},
    {INJECT("3", "\"data\":\"x\""), "data: a\n\ndata: b\n\n", "data: a\n\ndata: b\n\n", ""},
    {STALL("0", "5"), BOM "data: a\n\n", BOM "<5>data: a\n\n", ""},
    {STALL("1", "5"), "data: a\r\n\r\n:\n", "data: a\r\n\r\n<5>:\n", ""},
    {STALL("2", "5"), "data: a\n\nid\n\ndata\n\n", "data: a\n\nid\n\ndata\n\n<5>", ""},
    {STALL("1", "5") "," INJECT("1", "\"data\":\"x\"") "," STALL("1", "7"), "data: a\n\n:\n",
        "data: a\n\n<5>data: x\n\n<7>:\n", "1"},
    /* an injected event is no other action's, and one that was dropped is an event */
    {INJECT("1", "\"data\":\"x\"") "," DROP("") "," STALL("2", "5"),
        "data: a\n\ndata: b\n\ndata: c\n", "data: x\n\n<5>data: c\n", "1 0 1"},
};

static void check_case(const struct edit_case *one, event_piece *piece, bool together)
{
    const char *wanted = one->result != NULL ? one->result : one->content;
    struct rules *rules = event_rules(slice_str(one->actions));
    struct event_outcome outcome;
    event_edit(rules, slice_str(one->content), piece, together, &outcome);
    if (!slice_is(slice_of(outcome.bytes.data, outcome.bytes.len), wanted) ||
        !slice_is(slice_of(outcome.told.data, outcome.told.len), one->told))
        fail_msg("%s of \"%s\":\n\"%.*s\", not \"%s\"\ntold \"%.*s\", not \"%s\"", one->actions,
            one->content, (int)outcome.bytes.len, outcome.bytes.data, wanted, (int)outcome.told.len,
            outcome.told.data, one->told);
    event_outcome_deinit(&outcome);
    rules_free(rules);
}

static void check_cases(const struct edit_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_case(&cases[i], event_whole, true);
        check_case(&cases[i], event_whole, false);
        check_case(&cases[i], event_one_byte, true);
        check_case(&cases[i], event_one_byte, false);
        for (int splits = 0; splits < SPLITS; splits++)
            check_case(&cases[i], event_some, splits % 2);
    }
}

#define CHECK(cases) check_cases((cases), sizeof(cases) / sizeof(cases)[0])

static void test_bytes_stay(void **state)
{
    (void)state;
    CHECK(byte_cases);
}

static void test_drop(void **state)
{
    (void)state;
    CHECK(drop_cases);
}

static void test_data(void **state)
{
    (void)state;
    CHECK(data_cases);
}

static void test_after(void **state)
{
    (void)state;
    CHECK(after_cases);
}

/* Only what an action may be for is held, and only until that is known. */
static void test_holds_no_more(void **state)
{
    static const struct {
        const char *content;
        size_t out; /* so many bytes of it have come out */
    } cases[] = {
        {"data: a\n\nda", 11},
        {":c", 2},
        {"data: a\n\ndata: b\n\nda", 18},
        {"data: a\n\ndata: b\n\ndata: c\n", 18},
        {"data: a\n\ndata: b\n\n: c\n", 22},
        {"data: a\n\ndata: b\n\ndata: c\n\nda", 20},
        {"data: a\r\rdata: b\r\rdata: c\r\r", 18},
        {"data: a\n\ndata: b\n\r", 18},
    };
    struct rules *rules = event_rules(slice_str(DROP("\"nth\":3")));
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct event_outcome outcome;
        struct event_edits *edits = event_edits_of(rules);
        event_outcome_init(&outcome);
        const struct event_sink sink = event_outcome_sink(&outcome);
        assert_int_equal(event_edits_feed(edits, slice_str(cases[i].content), false, &sink), 0);
        if (outcome.bytes.len != cases[i].out)
            fail_msg("%s: %zu", cases[i].content, outcome.bytes.len);
        event_edits_free(edits);
        event_outcome_deinit(&outcome);
    }
    rules_free(rules);
}

/* An event of LEN bytes, its blank line included, with another behind it. */
static void large_event(struct buf *content, size_t len)
{
    buf_clear(content);
    assert_int_equal(buf_append_str(content, "data: "), 0);
    assert_int_equal(buf_reserve(content, len), 0);
    memset(content->data + content->len, 'a', len - 8);
    content->len += len - 8;
    assert_int_equal(buf_append_str(content, "\n\ndata: b\n\n"), 0);
}

struct large_case {
    const char *actions;
    size_t len, out; /* of the first event, and what remains of it */
    const char *told;
};

static void check_large(
    const struct large_case *one, event_piece *piece, bool together, struct buf *content)
{
    struct rules *rules = event_rules(slice_str(one->actions));
    struct event_outcome outcome;
    large_event(content, one->len);
    event_edit(rules, slice_of(content->data, content->len), piece, together, &outcome);
    assert_in_range(outcome.bytes.len, one->out, one->out + 11); /* the other */
    assert_memory_equal(outcome.bytes.data, content->data, one->out);
    assert_true(slice_is(slice_of(outcome.told.data, outcome.told.len), one->told));
    event_outcome_deinit(&outcome);
    rules_free(rules);
}

/* One that is too large passes unchanged, and is told of where an action was for it. */
static void test_large(void **state)
{
    static const struct large_case cases[] = {
        {DROP(""), EVENT_MAX, 0, "0 0"},
        {DROP(""), EVENT_MAX + 1, EVENT_MAX + 1, "0!event_too_large 0"},
        {DATA("", "xyz"), EVENT_MAX + 1, EVENT_MAX + 1, "0!event_too_large 0"},
        {DROP("\"type\":\"x\""), EVENT_MAX + 1, EVENT_MAX + 1, ""},
        {DROP("\"nth\":2"), EVENT_MAX + 1, EVENT_MAX + 1, "0"},
    };
    struct buf content;
    (void)state;
    buf_init(&content, EVENT_OUT_MAX);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_large(&cases[i], event_whole, true, &content);
        check_large(&cases[i], event_one_byte, false, &content);
    }
    buf_deinit(&content);
}

/* An event may not become larger either: each of these line feeds is a line of its own. */
static void test_becomes_large(void **state)
{
    static const struct {
        const char *start, *filling, *end, *told;
        size_t filling_max;
    } cases[] = {
        {"{\"edit_event\":{\"data\":\"", "\\n", "\"}}", "0!event_too_large", EVENT_MAX / 3},
        {"{\"inject_event\":{\"after_nth\":1,\"data\":\"", "\\n", "\"}}", "0!event_too_large",
            EVENT_MAX / 3},
        {"{\"edit_event\":{\"json_patch\":[{\"op\":\"replace\",\"path\":\"\",\"value\":\"",
            "aaaaaaaa", "\"}]}}", "0!too_large", EVENT_MAX + 100},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf actions;
        struct event_outcome outcome;
        buf_init(&actions, EVENT_OUT_MAX);
        assert_int_equal(buf_append_str(&actions, cases[i].start), 0);
        while (actions.len < cases[i].filling_max)
            assert_int_equal(buf_append_str(&actions, cases[i].filling), 0);
        assert_int_equal(buf_append_str(&actions, cases[i].end), 0);
        struct rules *rules = event_rules(slice_of(actions.data, actions.len));
        event_edit(rules, slice_str("data: 1\n\n"), event_whole, true, &outcome);
        assert_true(slice_is(slice_of(outcome.bytes.data, outcome.bytes.len), "data: 1\n\n"));
        assert_true(slice_is(slice_of(outcome.told.data, outcome.told.len), cases[i].told));
        event_outcome_deinit(&outcome);
        rules_free(rules);
        buf_deinit(&actions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_stay),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_data),
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_holds_no_more),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_becomes_large),
    };
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
