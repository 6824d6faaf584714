#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "lib/server_events.h"

#define EVENT_MAX 64

/* Each event as "TYPE=DATA|". */
static void on_event(void *arg, const struct server_event *event)
{
    assert_int_equal(buf_append(arg, event->type.data, event->type.len), 0);
    assert_int_equal(buf_append_char(arg, '='), 0);
    assert_int_equal(buf_append(arg, event->data.data, event->data.len), 0);
    assert_int_equal(buf_append_char(arg, '|'), 0);
}

/* In pieces of PIECE bytes; each is a copy, so that a read past it is seen. */
static int feed(struct server_events *events, struct slice bytes, size_t piece)
{
    int status = 0;
    while (bytes.len > 0 && status == 0) {
        size_t len = piece < bytes.len ? piece : bytes.len;
        char *copy = malloc(len);
        memcpy(copy, bytes.data, len);
        status = server_events_feed(events, slice_of(copy, len));
        free(copy);
        bytes = slice_of(bytes.data + len, bytes.len - len);
    }
    return status;
}

static void assert_events(struct slice bytes, struct slice expected)
{
    for (size_t piece = 1; piece <= bytes.len + 1; piece++) {
        struct server_events events;
        struct buf got;
        buf_init(&got, 1000);
        assert_int_equal(buf_append_str(&got, ""), 0);
        server_events_init(&events, EVENT_MAX, on_event, &got);
        assert_int_equal(feed(&events, bytes, piece), 0);
        if (!slice_equal(slice_of(got.data, got.len), expected))
            fail_msg("%.*s in pieces of %zu: %.*s", (int)bytes.len, bytes.data, piece, (int)got.len,
                got.data != NULL ? got.data : "");
        server_events_deinit(&events);
        buf_deinit(&got);
    }
}

static void test_feed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"data: a\n\n", "message=a|"},
        {"data:a\n\ndata:  b\n\n", "message=a|message= b|"},
        {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", "message=a|message=b|message=c|"},
        {"event: progress\ndata: 1\n\nevent: result\r\ndata: 2\r\n\r\n", "progress=1|result=2|"},
        {"data: a\ndata: b\ndata\ndata: \n\n", "message=a\nb\n\n|"},
        {"data\n\n", "message=|"},
        {"data:\n\n", "message=|"},
        {"event: x\n\ndata: a\n\n",
            "message=a|"}, /* without data it is none, and its type is gone */
        {"event: x\nevent: y\ndata: a\n\n", "y=a|"},
        {"event: x\nevent\ndata: a\n\n", "message=a|"},
        {": a comment\ndata: a\n:\n\n", "message=a|"},
        {"id: 1\nretry: 5\nDATA: no\n data: no\ndata : no\nother\n\n", ""},
        {"id: 1\ndata: a\n\n", "message=a|"},
        {"data: a:b: c\n\n", "message=a:b: c|"},
        {"data: a\n", ""}, /* not ended by a blank line */
        {"data: a", ""},
        {"data: a\n\ndata: b\n", "message=a|"},
        {"\xef\xbb\xbf"
         "data: a\n\n",
            "message=a|"},
        {"\xef\xbb\xbf\xef\xbb\xbf"
         "data: a\n\n",
            ""},
        {"data: a\n\n\xef\xbb\xbf"
         "data: b\n\n",
            "message=a|"},
        {"\n\n\r\n\rdata: a\n\n\n\n", "message=a|"},
        {"data: \xff\n\n", "message=\xff|"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_events(slice_str(cases[i][0]), slice_str(cases[i][1]));
    assert_events(slice_of("data: \0x\n\n", 10), slice_of("message=\0x|", 11));
}

static void test_append(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "event: t\ndata: a\n\n"},
        {"", "event: t\ndata: \n\n"},
        {"a\nb", "event: t\ndata: a\ndata: b\n\n"},
        {"a\r\nb\rc\n", "event: t\ndata: a\ndata: b\ndata: c\ndata: \n\n"},
        {"\n\r\r\n", "event: t\ndata: \ndata: \ndata: \ndata: \n\n"},
        {" a", "event: t\ndata:  a\n\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, 1000);
        assert_int_equal(server_events_append(&out, "t", slice_str(cases[i][0])), 0);
        if (!slice_is(slice_of(out.data, out.len), cases[i][1]))
            fail_msg("%s: %.*s", cases[i][0], (int)out.len, out.data);
        buf_deinit(&out);
    }
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(server_events_append(&out, "progress", slice_str("{\r\n \"a\":\n1}")), 0);
    assert_int_equal(server_events_append(&out, "result", slice_str("")), 0);
    assert_events(slice_of(out.data, out.len), slice_str("progress={\n \"a\":\n1}|result=|"));
    buf_deinit(&out);
}

static void test_maximum(void **state)
{
    (void)state;
    static const struct {
        size_t lines, value; /* so many lines of "data:" and VALUE bytes */
        int status;
    } cases[] = {
        {1, EVENT_MAX - 5, 0}, {1, EVENT_MAX - 4, UV_ENOBUFS},         /* the line */
        {2, EVENT_MAX / 2 - 1, 0}, {2, EVENT_MAX / 2 + 1, UV_ENOBUFS}, /* the data */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server_events events;
        struct buf got, text;
        buf_init(&got, 1000);
        buf_init(&text, 1000);
        for (size_t line = 0; line < cases[i].lines; line++)
            assert_int_equal(buf_printf(&text, "data:%0*d\n", (int)cases[i].value, 0), 0);
        server_events_init(&events, EVENT_MAX, on_event, &got);
        assert_int_equal(feed(&events, slice_of(text.data, text.len), 7), cases[i].status);
        server_events_deinit(&events);
        buf_deinit(&got);
        buf_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
