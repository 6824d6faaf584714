#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include <cmocka.h>

#include "mitm_proxy/rules.h"
#include "tests/unit/body_outcome.h"
#include "tests/unit/scarce_memory.h"

#define SPLITS 6 /* at random, of each case */

static struct slice all_of(const struct buf *buf)
{
    return slice_of(buf->data, buf->len);
}

/* How a body comes out; sums of these. */
#define STAYS 0
#define CUT 1
#define MOVED 2   /* chunks stand elsewhere, or otherwise, than they came */
#define BORDERS 4 /* chunks are as the bytes come: only their content does not hang on that */

struct pass_case {
    size_t in; /* enum message_framing */
    const char *actions, *body;
    const char *out; /* NULL: as it came */
    const char *told;
    const char *did; /* the indexes of those that changed something */
    size_t how;
};

#define L MESSAGE_LENGTH
#define K MESSAGE_CHUNKED
#define C MESSAGE_CLOSE
#define CORRUPT(at, xor) "{\"corrupt\":{\"at_byte\":" at ",\"xor\":" xor "}}"
#define TRUNCATE(at) "{\"truncate\":{\"at_byte\":" at "}}"
#define REFRAME(sizes) "{\"reframe\":{\"to\":\"chunked\",\"chunk_bytes\":[" sizes "]}}"
#define REFRAME_AS "{\"reframe\":{\"to\":\"chunked\"}}"
#define EDIT(data) "{\"edit_event\":{\"data\":\"" data "\"}}"
#define DROP(rest) "{\"drop_event\":{" rest "}}"
#define INJECT(nth) "{\"inject_event\":{\"after_nth\":" nth ",\"data\":\"x\"}}"
#define STALL(nth) "{\"stall\":{\"after_nth\":" nth ",\"ms\":5}}"
#define BOM "\xef\xbb\xbf"

#define CHUNKS "3;a\r\nabc\r\n02 ; b=\"c\"\r\nde\r\n00;l\r\nT:  1\r\n\r\n"

static const struct pass_case cases[] = {
    /* one byte is another; framing, extensions and trailers stay */
    {L, CORRUPT("1", "1"), "abc", "acc", "", "0", STAYS},
    {L, CORRUPT("3", "1"), "abc", NULL, "", "", STAYS},
    {L, CORRUPT("0", "1"), "", NULL, "", "", STAYS},
    {C, CORRUPT("2", "255"), "abc", "ab\x9c", "", "0", STAYS},
    {K, CORRUPT("3", "1"), CHUNKS, "3;a\r\nabc\r\n02 ; b=\"c\"\r\nee\r\n00;l\r\nT:  1\r\n\r\n", "",
        "0", STAYS},
    {K, CORRUPT("5", "1"), CHUNKS, NULL, "", "", STAYS},
    {K, CORRUPT("0", "1"), "0\r\nT: 1\r\n\r\n", NULL, "", "", STAYS},
    {L, CORRUPT("1", "1") "," CORRUPT("9", "1") "," CORRUPT("1", "3"), "abc", "a`c", "", "02",
        STAYS},
    /* a body that is cut ends there, wherever its framing is; one that ends sooner is not cut */
    {L, TRUNCATE("2"), "abc", "ab", "", "0", CUT},
    {L, TRUNCATE("0"), "abc", "", "", "0", CUT},
    {L, TRUNCATE("3"), "abc", NULL, "", "", STAYS},
    {C, TRUNCATE("1"), "abc", "a", "", "0", CUT},
    {K, TRUNCATE("4"), CHUNKS, "3;a\r\nabc\r\n02 ; b=\"c\"\r\nd", "", "0", CUT},
    {K, TRUNCATE("3"), CHUNKS, "3;a\r\nabc\r\n02 ; b=\"c\"\r\n", "", "0", CUT},
    {K, TRUNCATE("0"), CHUNKS, "3;a\r\n", "", "0", CUT},
    {K, TRUNCATE("5"), CHUNKS, NULL, "", "", STAYS},
    {L, TRUNCATE("2") "," CORRUPT("1", "1") "," CORRUPT("2", "1"), "abc", "ac", "", "01", CUT},
    {L, TRUNCATE("1") "," TRUNCATE("2"), "abc", "a", "", "0", CUT},
    {L, TRUNCATE("2") "," TRUNCATE("1") "," TRUNCATE("1"), "abc", "a", "", "1", CUT},
    /* other chunks: sizes as they are given, the last of which goes on; trailers stay */
    {L, REFRAME("1,16,2"), "0123456789abcdef0123ABC",
        "1\r\n0\r\n10\r\n123456789abcdef0\r\n2\r\n12\r\n2\r\n3A\r\n2\r\nBC\r\n0\r\n\r\n", "", "",
        STAYS},
    {L, REFRAME("2"), "", "0\r\n\r\n", "", "", STAYS},
    {C, REFRAME("2"), "abc", "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", "", "", STAYS},
    {K, REFRAME("2"), CHUNKS, "2\r\nab\r\n2\r\ncd\r\n1\r\ne\r\n0\r\nT:  1\r\n\r\n", "", "", MOVED},
    {K, REFRAME("2"), "00\r\n\r\n", "0\r\n\r\n", "", "", MOVED},
    {L, REFRAME("3") "," TRUNCATE("4"), "abcdef", "3\r\nabc\r\n1\r\nd\r\n", "", "1", CUT},
    {K, REFRAME("3") "," TRUNCATE("0"), CHUNKS, "", "", "1", CUT | MOVED},
    {K, REFRAME("9") "," CORRUPT("3", "1"), CHUNKS, "5\r\nabcee\r\n0\r\nT:  1\r\n\r\n", "", "1",
        MOVED},
    {L, REFRAME_AS, "abc", "3\r\nabc\r\n0\r\n\r\n", "", "", BORDERS},
    {C, REFRAME_AS, "", "0\r\n\r\n", "", "", BORDERS},
    /* events: what only stalls stays as it came, and stalls where the event ends */
    {K, STALL("1"), "009;x\r\ndata: a\n\n\r\n4\r\n:b\r\n\r\n0;l\r\nT: 1\r\n\r\n", NULL, "@16+5 ",
        "0", STAYS},
    {K, STALL("1"), "4\r\ndata\r\n5\r\n: a\n\n\r\n0\r\n\r\n", NULL, "@17+5 ", "0", STAYS},
    {K, STALL("1"), "9\r\ndata: a\n\r\r\n4\r\n:b\r\n\r\n0\r\n\r\n", NULL, "@17+5 ", "0", STAYS},
    {K, STALL("2"), "9\r\ndata: a\n\n\r\n0\r\n\r\n", NULL, "", "", STAYS},
    {C, STALL("0"), BOM "data: a\n\n", NULL, "@3+5 ", "0", STAYS},
    {C, STALL("0"),
        "\xef\xbb"
        "data: a\n\n",
        NULL, "@0+5 ", "0", STAYS | BORDERS},
    {K, STALL("0"), "1\r\n\xef\r\n2\r\n\xbb\xbf\r\n0\r\n\r\n", NULL, "@11+5 ", "0", STAYS},
    {C, STALL("1") "," TRUNCATE("10") "," CORRUPT("0", "1"), "data: a\n\ndata: b\n\n",
        "eata: a\n\nd", "", "12", CUT},
    {L, STALL("1") "," TRUNCATE("10") "," CORRUPT("6", "1"), "data: a\n\ndata: b\n\n",
        "data: `\n\nd", "@9+5 ", "012", CUT},
    {C, STALL("1"), "data: a\n\r", NULL, "@9+5 ", "0", STAYS},
    /* and the others frame anew */
    {C, EDIT("x"), "data: a\n\n:c\n", "data: x\n\n:c\n", "", "0", STAYS},
    {L, EDIT("xy"), "data: a\n\n", "a\r\ndata: xy\n\n\r\n0\r\n\r\n", "", "0", BORDERS},
    {L, EDIT("xy") "," REFRAME("8"), "data: a\n\n", "8\r\ndata: xy\r\n2\r\n\n\n\r\n0\r\n\r\n", "",
        "0", STAYS},
    {K, EDIT("x"), "9\r\ndata: a\n\n\r\n0;l\r\nT: 1\r\n\r\n",
        "9\r\ndata: x\n\n\r\n0\r\nT: 1\r\n\r\n", "", "0", MOVED | BORDERS},
    {K, DROP(""), "9\r\ndata: a\n\n\r\n2\r\n:b\r\n0\r\n\r\n", "2\r\n:b\r\n0\r\n\r\n", "", "0",
        MOVED | BORDERS},
    {K, DROP("\"nth\":2"), "9\r\ndata: a\n\n\r\n0\r\n\r\n", NULL, "", "", BORDERS},
    {C, INJECT("1"), "data: a\n\n", "data: a\n\ndata: x\n\n", "", "0", STAYS},
    {C, INJECT("1") "," STALL("1") "," DROP("\"nth\":2"), "data: a\n\ndata: b\n\n:c\n",
        "data: a\n\ndata: x\n\n:c\n", "@18+5 ", "012", STAYS},
    {L, STALL("1") "," DROP("") "," REFRAME("3"), ":abc\ndata: a\n\n:b\n",
        "3\r\n:ab\r\n2\r\nc\n\r\n3\r\n:b\n\r\n0\r\n\r\n", "@15+5 ", "01", STAYS},
    {C, "{\"edit_event\":{\"json_patch\":[{\"op\":\"remove\",\"path\":\"/a\"}]}}",
        "data: {}\n\ndata: {\"a\":1}\n\n", "data: {}\n\ndata: {}\n\n", "0!path_not_found ", "0",
        STAYS},
    /* an event that is cut off passes, as far as it goes, with what was done to those before */
    {C, EDIT("x") "," TRUNCATE("14"), "data: a\n\ndata: b\n\n", "data: x\n\ndata:", "", "01", CUT},
    {L, DROP("") "," TRUNCATE("14") "," REFRAME("4"), "data: a\n\ndata: b\n\n",
        "4\r\ndata\r\n1\r\n:\r\n", "", "01", CUT},
    {C, EDIT("x") "," CORRUPT("4", "1"), "data: a\n\ndata: b\n\n", "data; a\n\ndata: x\n\n", "",
        "01", STAYS},
};

static void check_did(const struct pass_case *one, const struct body_outcome *outcome)
{
    char did[EVENT_ACTIONS_MAX + 1] = "";
    size_t len = 0;
    for (size_t i = 0; i < EVENT_ACTIONS_MAX; i++) {
        if (outcome->did[i])
            did[len++] = (char)('0' + i);
    }
    did[len] = '\0';
    assert_string_equal(did, one->did);
}

/* Where chunks are as the bytes come, what is in them is compared. */
static void check_borders(const struct pass_case *one, const struct body_outcome *outcome)
{
    struct slice should = slice_str(one->out != NULL ? one->out : one->body);
    struct slice trailers, other_trailers;
    struct buf content, other;
    body_outcome_content(all_of(&outcome->out),
        one->in != C || strstr(one->actions, "reframe") != NULL, &content, &trailers);
    body_outcome_content(
        should, one->in != C || strstr(one->actions, "reframe") != NULL, &other, &other_trailers);
    assert_true(slice_equal(all_of(&content), all_of(&other)));
    assert_true(slice_equal(trailers, other_trailers));
    body_outcome_check_digest(outcome, all_of(&content));
    buf_deinit(&content);
    buf_deinit(&other);
}

static void check_case(const struct pass_case *one, event_piece *piece, bool together)
{
    const char *out = one->out != NULL ? one->out : one->body;
    bool whole = piece == event_whole && together;
    struct rules *rules = event_rules(slice_str(one->actions));
    struct body_outcome outcome;
    body_outcome_pass(
        rules, (enum message_framing)one->in, slice_str(one->body), piece, together, &outcome);
    if (one->how & BORDERS && !whole) {
        check_borders(one, &outcome);
    } else if (!slice_is(all_of(&outcome.out), out) ||
               !slice_is(all_of(&outcome.told), one->told)) {
        fail_msg("%s of \"%s\":\n\"%.*s\", not \"%s\"\ntold \"%.*s\", not \"%s\"", one->actions,
            one->body, (int)outcome.out.len, outcome.out.data, out, (int)outcome.told.len,
            outcome.told.data, one->told);
    } else {
        assert_int_equal(outcome.moved, (one->how & MOVED) != 0);
    }
    assert_int_equal(outcome.cut, (one->how & CUT) != 0);
    check_did(one, &outcome);
    body_outcome_deinit(&outcome);
    rules_free(rules);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_case(&cases[i], event_whole, true);
        check_case(&cases[i], event_whole, false);
        check_case(&cases[i], event_one_byte, true);
        check_case(&cases[i], event_one_byte, false);
        for (int splits = 0; splits < SPLITS; splits++)
            check_case(&cases[i], event_some, splits % 2);
    }
}

/* Wherever memory runs out, it says so. */
static void test_without_memory(void **state)
{
    struct rules *rules = event_rules(
        slice_str(EDIT("x") "," CORRUPT("1", "1") "," REFRAME("3") "," DROP("\"nth\":2")));
    int err = UV_ENOMEM;
    long count = 0;
    (void)state;
    for (; err != 0 && count < 100; count++) {
        struct body_outcome outcome = {0};
        const struct body_pass_watch watch = body_outcome_watch(&outcome);
        buf_init(&outcome.out, BODY_OUT_MAX);
        buf_init(&outcome.told, BODY_OUT_MAX);
        scarce_memory(count);
        struct body_pass *pass = body_pass_of(rules, L);
        if (pass != NULL)
            err = body_pass_feed(
                pass, slice_str("data: a\n\ndata: b\n\n:c"), true, &outcome.out, &watch);
        scarce_memory(-1);
        body_pass_free(pass);
        assert_true(err == 0 || err == UV_ENOMEM);
        body_outcome_deinit(&outcome);
    }
    assert_true(err == 0 && count > 10);
    rules_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_without_memory),
    };
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
