/*
 * What the relay passes on, over the cases of tests/data/http/: all of a good message's bytes,
 * nothing of a refused one that came in one read, however the reads are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mitm_proxy/relay.h"
#include "tests/unit/http_cases.h"

static void pass_on(struct relay *relay, struct buf *out)
{
    uv_buf_t runs[2];
    unsigned int count = relay_runs(relay, runs);
    for (unsigned int i = 0; i < count; i++)
        assert_int_equal(buf_append(out, runs[i].base, runs[i].len), 0);
}

/* One read, used as a session does it. */
static enum http_event take(
    struct http_parser *parser, const char *data, size_t len, struct buf *out)
{
    char *copy = malloc(len);
    struct relay relay;
    enum http_event event;
    memcpy(copy, data, len);
    relay_begin(&relay, parser, copy, len);
    do {
        event = relay_next(&relay);
        if (event == HTTP_EVENT_END && relay.prefix.len > 0)
            pass_on(&relay, out);
    } while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END);
    pass_on(&relay, out);
    free(copy);
    return event;
}

/* FIRST bytes at once, then STEP at a time; what was passed on stands in OUT. */
static bool relay_case(
    const struct http_case *test, enum http_kind kind, size_t first, size_t step, struct buf *out)
{
    struct http_parser *parser = http_parser_new(kind, NULL, NULL);
    enum http_event event = HTTP_EVENT_MORE;
    size_t piece = first;
    if (test->head)
        http_parser_expect_no_body(parser);
    for (size_t at = 0, len; at < test->bytes.len && event == HTTP_EVENT_MORE; at += len) {
        len = test->bytes.len - at < piece ? test->bytes.len - at : piece;
        event = take(parser, test->bytes.data + at, len, out);
        piece = step;
    }
    http_parser_free(parser);
    return event != HTTP_EVENT_ERROR;
}

static void check_case(const struct http_case *test, enum http_kind kind, size_t first, size_t step)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    bool good = relay_case(test, kind, first, step, &out);
    bool ok = strncmp(test->expect, "ok", 2) == 0;
    if (ok && (!good || out.len != test->bytes.len))
        fail_msg(
            "%s (%zu, %zu): %zu of %zu bytes", test->name, first, step, out.len, test->bytes.len);
    if (!good && first == test->bytes.len && out.len != test->passes.len)
        fail_msg("%s: %zu bytes of a refused message", test->name, out.len);
    /* Whatever was passed on is what came, from its beginning. */
    if (out.len > 0)
        assert_memory_equal(out.data, test->bytes.data, out.len);
    buf_deinit(&out);
}

static void check_file(const char *path, enum http_kind kind)
{
    FILE *file = fopen(path, "r");
    struct http_case test;
    assert_non_null(file);
    while (http_case_next(file, &test)) {
        check_case(&test, kind, test.bytes.len, 1);
        check_case(&test, kind, 1, 1);
        for (size_t cut = 1; cut < test.bytes.len && test.bytes.len < 2048; cut++)
            check_case(&test, kind, cut, test.bytes.len);
        buf_deinit(&test.bytes);
        buf_deinit(&test.passes);
    }
    fclose(file);
}

static void test_requests(void **state)
{
    (void)state;
    check_file(TEST_DATA "/http/requests.txt", HTTP_KIND_REQUEST);
}

static void test_responses(void **state)
{
    (void)state;
    check_file(TEST_DATA "/http/responses.txt", HTTP_KIND_RESPONSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
