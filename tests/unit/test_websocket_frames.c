/*
 * The frames of tests/data/websocket/frames.txt, however their bytes are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mitm_proxy/websocket_frames.h"
#include "tests/unit/http_cases.h"

#define SAID_MAX 256

/* From memory that ends where the bytes do. */
static void take(struct websocket_frames *frames, const char *data, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    websocket_frames_take(frames, copy, len);
    free(copy);
}

/* What was counted, as a case expects it. */
static void say(const struct websocket_frames *frames, bool client, char *out)
{
    int len = snprintf(
        out, SAID_MAX, "%s%s", client ? "client" : "server", frames->extended ? " extended" : "");
    for (int kind = 0; kind < WEBSOCKET_FRAMES; kind++)
        if (frames->counts[kind] > 0)
            len += snprintf(out + len, SAID_MAX - (size_t)len, " %s:%d",
                websocket_frame_names[kind], (int)frames->counts[kind]);
    if (frames->close_code != WEBSOCKET_NO_CODE)
        len += snprintf(out + len, SAID_MAX - (size_t)len, " code:%d", frames->close_code);
    if (frames->stopped)
        snprintf(out + len, SAID_MAX - (size_t)len, " stopped:%s", frames->stopped);
}

/* FIRST bytes at once, then STEP at a time. */
static void check(const struct http_case *test, size_t first, size_t step)
{
    bool client = strncmp(test->expect, "client", 6) == 0;
    struct websocket_frames frames;
    char said[SAID_MAX];
    size_t piece = first;
    websocket_frames_begin(&frames, client, strstr(test->expect, "extended"));
    for (size_t at = 0, len; at < test->bytes.len; at += len) {
        len = test->bytes.len - at < piece ? test->bytes.len - at : piece;
        take(&frames, test->bytes.data + at, len);
        piece = step;
    }
    websocket_frames_end(&frames);
    say(&frames, client, said);
    if (strcmp(said, test->expect) != 0)
        fail_msg("%s (%zu, %zu): %s", test->name, first, step, said);
}

static void test_frames(void **state)
{
    FILE *file = fopen(TEST_DATA "/websocket/frames.txt", "r");
    struct http_case test;
    size_t cases = 0;
    (void)state;
    assert_non_null(file);
    for (; http_case_next(file, &test); cases++) {
        check(&test, test.bytes.len, 1);
        check(&test, 1, 1);
        check(&test, 1, 3);
        for (size_t cut = 1; cut < test.bytes.len && test.bytes.len < 1024; cut++)
            check(&test, cut, test.bytes.len);
        buf_deinit(&test.bytes);
        buf_deinit(&test.passes);
    }
    fclose(file);
    assert_true(cases > 50);
}

/* Nobody has so much memory: the payload is not kept. */
static void test_long(void **state)
{
    static const char piece[1 << 16];
    struct websocket_frames frames;
    (void)state;
    websocket_frames_begin(&frames, false, false);
    websocket_frames_take(&frames, "\x82\x7f\0\0\0\1\0\0\0\0", 10); /* 4 GiB */
    for (int i = 0; i < 1 << 16; i++) {
        assert_int_equal(frames.counts[WEBSOCKET_BINARY], 0);
        websocket_frames_take(&frames, piece, sizeof piece);
    }
    assert_int_equal(frames.counts[WEBSOCKET_BINARY], 1);
    websocket_frames_take(&frames, "\x81", 2);
    assert_int_equal(frames.counts[WEBSOCKET_TEXT], 1);
    assert_null(frames.stopped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
