/*
 * HTTP/1.1 as anyone may send it. Input: a byte that says of which side, one for the size of
 * pieces, and the messages.
 */
#include <string.h>

#include "lib/buf.h"
#include "lib/http_parser.h"
#include "lib/http_target.h"
#include "tests/fuzz/fuzz.h"

#define TOLD_MAX (16UL << 20)

enum { OF_RESPONSES = 1, WITHOUT_BODY = 2 };

static void tell(struct buf *told, const char *what, struct slice bytes)
{
    PROMISE(buf_printf(told, "%s %zu:", what, bytes.len) == 0);
    PROMISE(buf_append(told, bytes.data ? bytes.data : "", bytes.len) == 0);
}

static void check_field(const struct http_head *head, const struct http_field *field)
{
    const char *start = head->bytes.data, *end = start + head->bytes.len;
    PROMISE(field->name.len > 0 && field->name.data > start && field->name.data < end);
    PROMISE(field->value.data > start && field->value.data + field->value.len < end);
    PROMISE(!memchr(field->value.data, '\n', field->value.len));
    PROMISE(!memchr(field->value.data, '\r', field->value.len));
    PROMISE(!memchr(field->name.data, ' ', field->name.len));
}

static void check_head(const struct http_head *head, enum http_kind kind)
{
    for (size_t i = 0; i < head->n_fields; i++)
        check_field(head, &head->fields[i]);
    PROMISE(!(head->chunked && head->has_content_length)); /* RFC 9112 §6.1 */
    if (kind == HTTP_KIND_RESPONSE) {
        PROMISE(head->status >= 100 && head->status <= 999);
        return;
    }
    PROMISE(head->method.len > 0 && head->target.len > 0);
    PROMISE(!memchr(head->target.data, ' ', head->target.len));
    (void)http_target_scheme(head->target);
    (void)http_target_authority(head->target);
    PROMISE(http_target_path(head->target).data);
}

struct reading {
    struct http_parser *parser;
    enum http_kind kind;
    struct buf *told;
    struct buf content;
};

static void on_body(void *arg, const char *data, size_t len)
{
    struct reading *reading = arg;
    PROMISE(len > 0 && buf_append(&reading->content, data, len) == 0);
}

static void tell_event(struct reading *reading, enum http_event event)
{
    const struct http_parser *parser = reading->parser;
    if (event == HTTP_EVENT_HEAD) {
        check_head(http_parser_head(parser), reading->kind);
        tell(reading->told, "head", http_parser_head(parser)->bytes);
    } else if (event == HTTP_EVENT_END) {
        tell(reading->told, "end", slice_of(reading->content.data, reading->content.len));
        buf_clear(&reading->content);
    } else if (event == HTTP_EVENT_ERROR) {
        PROMISE(http_parser_problem(parser)->word[0] && http_parser_problem(parser)->reason[0]);
        tell(reading->told, "error", slice_of(NULL, 0)); /* of two, either may be seen first */
    }
}

/* Returns false when nothing more can be read. */
static bool feed(struct reading *reading, const char *data, size_t len)
{
    enum http_event event;
    do {
        size_t used;
        event = http_parser_feed(reading->parser, data, len, &used);
        PROMISE(used <= len && (event != HTTP_EVENT_MORE || used == len));
        tell_event(reading, event);
        data += used;
        len -= used;
    } while (event == HTTP_EVENT_HEAD || event == HTTP_EVENT_END);
    return event == HTTP_EVENT_MORE;
}

static void read_all(
    struct slice bytes, unsigned flags, size_t piece, struct http_heads *heads, struct buf *told)
{
    struct reading reading = {.told = told};
    bool good = true;
    reading.kind = flags & OF_RESPONSES ? HTTP_KIND_RESPONSE : HTTP_KIND_REQUEST;
    buf_init(&reading.content, TOLD_MAX);
    reading.parser = http_parser_new(reading.kind, on_body, &reading);
    PROMISE(reading.parser);
    if (heads)
        http_parser_use_heads(reading.parser, heads);
    if (flags & OF_RESPONSES && flags & WITHOUT_BODY)
        http_parser_expect_no_body(reading.parser);
    for (size_t at = 0; good && at < bytes.len; at += piece)
        good = feed(&reading, bytes.data + at, piece < bytes.len - at ? piece : bytes.len - at);
    if (good)
        tell_event(&reading, http_parser_eof(reading.parser));
    tell(told, "rest", slice_of(reading.content.data, reading.content.len));
    buf_deinit(&reading.content);
    http_parser_free(reading.parser);
}

/* The pieces make no difference, nor do heads that are known. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct http_heads heads = {.variety = HTTP_HEADS_VARIETY};
    struct buf whole, again;
    if (len < 2)
        return 0;
    struct slice bytes = slice_of((const char *)data + 2, len - 2);
    buf_init(&whole, TOLD_MAX);
    buf_init(&again, TOLD_MAX);
    read_all(bytes, data[0], bytes.len + 1, NULL, &whole);
    for (int i = 0; i < 3; i++) {
        buf_clear(&again);
        read_all(bytes, data[0], i == 1 ? data[1] + 1U : bytes.len + 1, &heads, &again);
        PROMISE(slice_equal(slice_of(whole.data, whole.len), slice_of(again.data, again.len)));
    }
    buf_deinit(&whole);
    buf_deinit(&again);
    http_heads_deinit(&heads);
    return 0;
}
