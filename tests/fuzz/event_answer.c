/*
 * An answer of server-sent events as anyone may send it. Input: its body.
 */
#include <stdio.h>
#include <string.h>

#include "agent_a/event_answer.h"
#include "tests/fuzz/fuzz.h"

#define TOLD_MAX (1UL << 24)

/* Writes what it is told as events again, but for types that have no text. */
static void on_event(void *arg, const struct server_event *event)
{
    char type[65] = "message";
    if (event->type.len < sizeof type && memchr(event->type.data, '\0', event->type.len) == NULL)
        snprintf(type, sizeof type, "%.*s", (int)event->type.len, event->type.data);
    PROMISE(event->type.len > 0);
    PROMISE(memchr(event->type.data, '\n', event->type.len) == NULL);
    PROMISE(memchr(event->data.data, '\r', event->data.len) == NULL);
    PROMISE(server_events_append(arg, type, event->data) == 0);
}

/* Reads BODY in pieces of PIECE bytes. */
static void read_answer(
    struct event_answer *answer, struct slice body, size_t piece, struct buf *told)
{
    buf_clear(told);
    answer->arg = told;
    event_answer_begin(answer);
    for (size_t at = 0; at < body.len; at += piece) {
        size_t left = body.len - at;
        event_answer_feed(answer, slice_of(body.data + at, left < piece ? left : piece));
    }
    PROMISE(answer->status == 0);
    PROMISE(answer->has_result == (event_answer_result(answer).data != NULL));
    PROMISE(answer->count <= body.len / 6); /* the shortest is "data\n\n" */
}

/* The same in pieces of any size, and the same again from what was told. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice body = slice_of((const char *)data, len);
    struct event_answer whole, again;
    struct buf told, told_again;
    buf_init(&told, TOLD_MAX);
    buf_init(&told_again, TOLD_MAX);
    event_answer_init(&whole, on_event, &told);
    event_answer_init(&again, on_event, &told_again);
    read_answer(&whole, body, len > 0 ? len : 1, &told);
    for (size_t piece = 1; piece < 4; piece++) {
        read_answer(&again, body, piece, &told_again);
        PROMISE(again.count == whole.count);
        PROMISE(
            slice_equal(slice_of(told.data, told.len), slice_of(told_again.data, told_again.len)));
    }
    read_answer(&again, slice_of(told.data, told.len), 7, &told_again);
    PROMISE(again.count == whole.count);
    PROMISE(slice_equal(event_answer_result(&whole), event_answer_result(&again)));
    PROMISE(slice_equal(slice_of(told.data, told.len), slice_of(told_again.data, told_again.len)));
    event_answer_deinit(&whole);
    event_answer_deinit(&again);
    buf_deinit(&told);
    buf_deinit(&told_again);
    return 0;
}
