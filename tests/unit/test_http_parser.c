/*
 * Reads tests/data/http/ and feeds each case whole, byte by byte and cut in two at every place: by
 * a parser that knows no head, and by parsers that know those of other cases and of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/buf.h"
#include "lib/http_chars.h"
#include "lib/http_parser.h"
#include "tests/unit/http_cases.h"

struct outcome {
    int messages;
    enum http_event last;
    struct buf content;
};

static void on_body(void *arg, const char *data, size_t len)
{
    struct outcome *outcome = arg;
    assert_int_equal(buf_append(&outcome->content, data, len), 0);
}

/* Feeds one run, as a caller does. The run is a copy of its own size, so ASan sees every step. */
static bool feed(struct http_parser *parser, struct outcome *outcome, const char *data, size_t len)
{
    char *copy = malloc(len ? len : 1);
    size_t at = 0, used;
    enum http_event event;
    memcpy(copy, data, len);
    do {
        event = http_parser_feed(parser, copy + at, len - at, &used);
        at += used;
        assert_true(at <= len);
        outcome->messages += event == HTTP_EVENT_END;
    } while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END);
    outcome->last = event;
    if (event == HTTP_EVENT_MORE)
        assert_int_equal(at, len);
    free(copy);
    return event != HTTP_EVENT_ERROR;
}

static void describe(struct outcome *outcome, struct http_parser *parser, char *out, size_t size)
{
    if (outcome->last == HTTP_EVENT_ERROR)
        snprintf(out, size, "%s %d", http_parser_problem(parser)->word,
            http_parser_problem(parser)->status);
    else
        snprintf(out, size, "ok %d%s%.*s", outcome->messages, outcome->content.len ? " " : "",
            (int)outcome->content.len, outcome->content.len ? outcome->content.data : "");
}

/* FIRST bytes at once, then STEP at a time. HEADS may be NULL. */
static void run(const struct http_case *test, enum http_kind kind, size_t first, size_t step,
    struct http_heads *heads)
{
    struct outcome outcome = {0};
    struct http_parser *parser = http_parser_new(kind, on_body, &outcome);
    char got[4096];
    size_t at = 0, piece = first;
    buf_init(&outcome.content, 1 << 20);
    if (heads)
        http_parser_use_heads(parser, heads);
    if (test->head)
        http_parser_expect_no_body(parser);
    while (at < test->bytes.len) {
        size_t len = test->bytes.len - at < piece ? test->bytes.len - at : piece;
        if (!feed(parser, &outcome, test->bytes.data + at, len))
            break;
        at += len;
        piece = step;
    }
    if (test->eof && outcome.last != HTTP_EVENT_ERROR) {
        outcome.last = http_parser_eof(parser);
        outcome.messages += outcome.last == HTTP_EVENT_END;
    }
    describe(&outcome, parser, got, sizeof got);
    if (strcmp(got, test->expect) != 0)
        fail_msg("%s (first %zu, then %zu bytes): got \"%s\", expected \"%s\" (%s)", test->name,
            first, step, got, test->expect,
            outcome.last == HTTP_EVENT_ERROR ? http_parser_problem(parser)->reason : "");
    buf_deinit(&outcome.content);
    http_parser_free(parser);
}

static void run_file(const char *path, enum http_kind kind)
{
    FILE *file = fopen(path, "r");
    struct http_heads heads = {.variety = HTTP_HEADS_VARIETY};
    struct http_case test;
    int count = 0;
    assert_non_null(file);
    while (http_case_next(file, &test)) {
        run(&test, kind, test.bytes.len, 1, NULL);
        run(&test, kind, 1, 1, NULL);
        for (int again = 0; again < 2; again++)
            run(&test, kind, test.bytes.len, 1, &heads);
        for (size_t cut = 1; cut < test.bytes.len && test.bytes.len < 4096; cut++)
            run(&test, kind, cut, test.bytes.len, &heads);
        buf_deinit(&test.bytes);
        buf_deinit(&test.passes);
        count++;
    }
    fclose(file);
    http_heads_deinit(&heads);
    assert_true(count > 30);
}

static void test_requests(void **state)
{
    (void)state;
    run_file(TEST_DATA "/http/requests.txt", HTTP_KIND_REQUEST);
}

static void test_responses(void **state)
{
    (void)state;
    run_file(TEST_DATA "/http/responses.txt", HTTP_KIND_RESPONSE);
}

static void test_too_many_fields(void **state)
{
    struct http_case test = {.name = "fields"};
    (void)state;
    for (int count = 255; count <= 257; count++) {
        buf_init(&test.bytes, 1 << 20);
        http_case_unescape(&test.bytes, "GET / HTTP/1.1\\r\\nHost: a\\r\\n");
        for (int i = 1; i < count; i++)
            http_case_unescape(&test.bytes, "X: y\\r\\n");
        http_case_unescape(&test.bytes, "\\r\\n");
        snprintf(test.expect, sizeof test.expect, count > 256 ? "head_too_large 431" : "ok 1");
        run(&test, HTTP_KIND_REQUEST, test.bytes.len, 1, NULL);
        run(&test, HTTP_KIND_REQUEST, 1, 1, NULL);
        buf_deinit(&test.bytes);
    }
}

static void test_head_spans(void **state)
{
    static const char text[] =
        "\r\nPOST /a?b HTTP/1.1\r\nHost:h\r\nX-A:  v 1 \r\nConnection: a, Upgrade ,b\r\n"
        "Upgrade: x\r\nexpect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc";
    struct http_parser *parser = http_parser_new(HTTP_KIND_REQUEST, NULL, NULL);
    size_t used;
    (void)state;
    assert_int_equal(http_parser_feed(parser, text, sizeof text - 1, &used), HTTP_EVENT_HEAD);
    const struct http_head *head = http_parser_head(parser);
    assert_int_equal(used, sizeof text - 4);
    assert_true(slice_equal(head->bytes, slice_of(text, used)));
    assert_true(slice_is(head->method, "POST"));
    assert_true(slice_is(head->target, "/a?b"));
    assert_true(slice_is(http_head_field(head, "x-a"), "v 1"));
    assert_null(http_head_field(head, "none").data);
    assert_true(head->upgrade && head->expect_continue && head->keep_alive && !head->chunked);
    assert_int_equal(head->content_length, 3);
    assert_false(http_parser_idle(parser));
    http_parser_free(parser);
}

/* Reads a whole head; returns what it says. */
static const struct http_head *read_head(struct http_parser *parser, const char *text)
{
    size_t used, len = strlen(text);
    assert_int_equal(http_parser_feed(parser, text, len, &used), HTTP_EVENT_HEAD);
    assert_int_equal(used, len);
    const struct http_head *head = http_parser_head(parser);
    assert_true(slice_is(head->bytes, text));
    return head;
}

/* Reads a message without a body and lets its head go. */
static const struct http_head *pass_head(struct http_parser *parser, const char *text)
{
    const struct http_head *head = read_head(parser, text);
    size_t used;
    assert_int_equal(http_parser_feed(parser, text, 0, &used), HTTP_EVENT_END);
    http_parser_forget_head(parser);
    return head;
}

/* A head that comes again is the one that was read before, and leaves as much open as it did. */
static void test_known_heads(void **state)
{
    static const char *const lengths[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    static const char *const bodies[] = {"abc", "3\r\nabc\r\n0\r\n\r\n"};
    struct http_heads heads = {.variety = HTTP_HEADS_VARIETY};
    struct outcome outcome = {0};
    struct http_parser *responses = http_parser_new(HTTP_KIND_RESPONSE, on_body, &outcome),
                       *requests = http_parser_new(HTTP_KIND_REQUEST, NULL, NULL);
    const struct http_head *known = NULL;
    (void)state;
    buf_init(&outcome.content, 1 << 20);
    http_parser_use_heads(responses, &heads);
    http_parser_use_heads(requests, &heads);
    for (int i = 0; i < 6; i++) {
        const char *text = lengths[i / 3], *body = bodies[i / 3];
        bool bodiless = i % 3 == 1; /* it answers a HEAD */
        if (bodiless)
            http_parser_expect_no_body(responses);
        const struct http_head *head = read_head(responses, text);
        assert_int_equal(http_parser_until_close(responses), false);
        if (i % 3 > 0)
            assert_ptr_equal(head, known);
        known = head;
        assert_true(feed(responses, &outcome, bodiless ? "" : body, bodiless ? 0 : strlen(body)));
        assert_int_equal(outcome.messages, i + 1);
        assert_int_equal(outcome.content.len, bodiless ? 0 : 3);
        buf_clear(&outcome.content);
        http_parser_forget_head(responses);
    }
    size_t used;
    assert_int_equal(
        http_parser_feed(requests, lengths[0], strlen(lengths[0]), &used), HTTP_EVENT_ERROR);
    http_parser_free(requests);
    http_parser_free(responses);
    buf_deinit(&outcome.content);
    http_heads_deinit(&heads);
}

/* As many are known as are compared, and the one that came last of these stays longest. */
static void test_heads_variety(void **state)
{
    struct http_heads heads = {.variety = 2};
    struct http_parser *parser = http_parser_new(HTTP_KIND_REQUEST, NULL, NULL);
    (void)state;
    http_parser_use_heads(parser, &heads);
    const struct http_head *a = pass_head(parser, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    const struct http_head *b = pass_head(parser, "HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_ptr_equal(pass_head(parser, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"), a);
    assert_ptr_equal(pass_head(parser, "HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n"), b);
    assert_true(http_parser_is_to_head(parser));
    assert_ptr_equal(pass_head(parser, "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"), a);
    assert_ptr_equal(pass_head(parser, "HEAD /b HTTP/1.1\r\nHost: h\r\n\r\n"), b);
    assert_int_equal(heads.count[HTTP_KIND_REQUEST], 2);
    http_parser_free(parser);
    http_heads_deinit(&heads);
}

/* As the RFCs spell them. */
static void test_chars(void **state)
{
    static const char alnum[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    (void)state;
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool in_names = i && strchr(alnum, c), visible = i > ' ' && i < 0x7f;
        assert_int_equal(
            http_char_is(c, HTTP_TOKEN), in_names || (i && strchr("!#$%&'*+-.^_`|~", c)));
        assert_int_equal(
            http_char_is(c, HTTP_HOST), in_names || (i && strchr("-._~!$&'()*+,;=", c)));
        assert_int_equal(http_char_is(c, HTTP_TARGET), visible && c != '#');
        assert_int_equal(http_char_is(c, HTTP_TEXT), visible || i >= 0x80 || c == ' ' || c == '\t');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_too_many_fields),
        cmocka_unit_test(test_head_spans),
        cmocka_unit_test(test_known_heads),
        cmocka_unit_test(test_heads_variety),
        cmocka_unit_test(test_chars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
