#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mitm_proxy/message.h"

#define ROUNDS 4000
#define EDITS 3 /* of each message */
#define BODY_MAX 8192
#define CHUNKS_MAX 128
#define PICK(list) ((list)[(size_t)rand() % (sizeof(list) / sizeof(list)[0])])

static struct slice all_of(const struct buf *buf)
{
    return slice_of(buf->data, buf->len);
}

static void add(struct buf *out, struct slice text)
{
    assert_int_equal(buf_append(out, text.data, text.len), 0);
}

/* A chunk of a body: all of it, and its content. The last one of a body has the trailers. */
struct piece {
    struct slice bytes, size_line, content;
};

struct pieces {
    struct piece list[CHUNKS_MAX];
    size_t count;
};

/* A line, with its end. */
static struct slice line_at(struct slice body, size_t at)
{
    size_t end = at;
    while (end < body.len && body.data[end] != '\n')
        end++;
    assert_true(end < body.len && end > at && body.data[end - 1] == '\r');
    return slice_of(body.data + at, end + 1 - at);
}

/* Reads a chunked body, to its end. */
static void read_pieces(struct slice body, struct pieces *pieces)
{
    size_t at = 0, size = 1;
    pieces->count = 0;
    while (size > 0) {
        assert_true(pieces->count < CHUNKS_MAX);
        struct piece *piece = &pieces->list[pieces->count++];
        char *end;
        piece->size_line = line_at(body, at);
        size = strtoul(piece->size_line.data, &end, 16);
        assert_true(end > piece->size_line.data && size < body.len);
        piece->content = slice_of(piece->size_line.data + piece->size_line.len, size);
        piece->bytes = slice_of(body.data + at, piece->size_line.len + size + 2);
        at += piece->bytes.len;
        assert_true(at <= body.len);
        if (size > 0)
            assert_memory_equal(body.data + at - 2, "\r\n", 2);
    }
    struct piece *last = &pieces->list[pieces->count - 1];
    last->bytes.len = body.len - (size_t)(last->bytes.data - body.data);
    assert_memory_equal(body.data + body.len - 2, "\r\n", 2);
}

static void decode(const struct message *message, struct buf *content)
{
    struct pieces pieces;
    if (message->framing != MESSAGE_CHUNKED) {
        add(content, all_of(&message->body));
        return;
    }
    read_pieces(all_of(&message->body), &pieces);
    for (size_t i = 0; i < pieces.count; i++)
        add(content, pieces.list[i].content);
}

static void random_text(struct buf *out, size_t len)
{
    static const char bytes[] = "\r\n0;aAf\"{";
    while (len-- > 0)
        assert_int_equal(buf_append_char(out, PICK(bytes)), 0);
}

static void put_chunk(struct buf *body, struct slice content)
{
    static const char *const zeros[] = {"", "", "0", "000"};
    static const char *const extensions[] = {"", "", ";a", ";a=b", " ; c=\"d;e\""};
    const char *zero = PICK(zeros);
    assert_int_equal(rand() % 2 ? buf_printf(body, "%s%zx", zero, content.len)
                                : buf_printf(body, "%s%zX", zero, content.len),
        0);
    add(body, slice_str(PICK(extensions)));
    add(body, slice_str("\r\n"));
    add(body, content);
    if (content.len > 0)
        add(body, slice_str("\r\n"));
}

static void put_body(struct buf *body, enum message_framing framing, struct slice content)
{
    static const char *const trailers[] = {"", "", "T: 0\r\n", "A:b\r\nT:\r\n"};
    if (framing != MESSAGE_CHUNKED) {
        add(body, content);
        return;
    }
    while (content.len > 0) {
        size_t len = 1 + (size_t)rand() % (rand() % 3 > 0 && content.len > 4 ? 4 : content.len);
        put_chunk(body, slice_of(content.data, len));
        content = slice_of(content.data + len, content.len - len);
    }
    put_chunk(body, slice_of("", 0));
    add(body, slice_str(PICK(trailers)));
    add(body, slice_str("\r\n"));
}

/* A head whose Content-Length says LEN, where the framing has one; SHAPE tells its other bytes. */
static void put_head(struct buf *head, enum message_framing framing, size_t len, unsigned shape)
{
    static const char *const befores[] = {"", " ", "\t ", "  "};
    assert_int_equal(buf_printf(head, "POST / HTTP/1.1\r\n%s", shape & 1 ? "A: b\r\n" : ""), 0);
    if (framing == MESSAGE_LENGTH)
        assert_int_equal(
            buf_printf(head, "%s:%s%zu%s\r\n", shape & 2 ? "content-length" : "Content-Length",
                befores[shape >> 2 & 3], len, befores[shape >> 4 & 3]),
            0);
    else if (framing == MESSAGE_CHUNKED)
        add(head, slice_str("Transfer-Encoding:chunked\r\n"));
    add(head, slice_str(shape & 64 ? "C: d\r\n\r\n" : "\r\n"));
}

/* What was there, and what is new. */
struct edit {
    struct buf old, now;     /* the content */
    struct buf body, fields; /* the old body, and what is told of fields */
    size_t framings;         /* how often it was told that the framing changed */
};

static void on_field(void *arg, struct slice name, struct slice old, struct slice new_value)
{
    struct edit *edit = arg;
    assert_int_equal(buf_printf(&edit->fields, "%.*s:%.*s=%.*s", (int)name.len, name.data,
                         (int)old.len, old.data, (int)new_value.len, new_value.data),
        0);
}

static void on_framing(void *arg, enum message_framing old, enum message_framing now)
{
    struct edit *edit = arg;
    assert_true(old == MESSAGE_CHUNKED && now == MESSAGE_CHUNKED);
    edit->framings++;
}

/* Some of the content is another: nothing, a part, or all. */
static void random_edit(struct edit *edit)
{
    size_t from = (size_t)rand() % (edit->old.len + 1);
    size_t gone = (size_t)rand() % (edit->old.len - from + 1);
    size_t come = rand() % 2 ? gone : (size_t)rand() % 20;
    buf_clear(&edit->now);
    add(&edit->now, slice_of(edit->old.data, from));
    random_text(&edit->now, come);
    add(&edit->now, slice_of(edit->old.data + from + gone, edit->old.len - from - gone));
}

/* How many bytes are the same at the front of both; and then at the back. */
static size_t same_front(const struct edit *edit)
{
    size_t len = 0;
    while (len < edit->old.len && len < edit->now.len && edit->old.data[len] == edit->now.data[len])
        len++;
    return len;
}

static size_t same_back(const struct edit *edit, size_t front)
{
    size_t len = 0;
    while (front + len < edit->old.len && front + len < edit->now.len &&
           edit->old.data[edit->old.len - 1 - len] == edit->now.data[edit->now.len - 1 - len])
        len++;
    return len;
}

/* Chunks before and behind what changed are the same bytes; and so are all sizes, if that is. */
static void check_chunks(const struct message *message, const struct edit *edit)
{
    struct pieces old, now;
    size_t at = 0, front = same_front(edit), back = edit->old.len - same_back(edit, front);
    read_pieces(all_of(&edit->body), &old);
    read_pieces(all_of(&message->body), &now);
    for (size_t i = 0; i < old.count; i++) {
        const struct piece *piece = &old.list[i];
        size_t end = at + piece->content.len;
        if (end < front)
            assert_true(slice_equal(piece->bytes, now.list[i].bytes));
        else if (at > back || i + 1 == old.count)
            assert_true(slice_equal(piece->bytes, now.list[now.count - (old.count - i)].bytes));
        else if (edit->old.len == edit->now.len)
            assert_true(slice_equal(piece->size_line, now.list[i].size_line));
        at = end;
    }
    assert_in_range(now.count, 1, old.count + (edit->old.len == 0));
    assert_int_equal(edit->framings, edit->old.len != edit->now.len);
}

static void check_edit(struct message *message, struct edit *edit, unsigned shape)
{
    struct message_watch watch = {on_field, on_framing, edit};
    struct buf content, head, told;
    buf_init(&content, BODY_MAX);
    buf_init(&head, BODY_MAX);
    buf_init(&told, BODY_MAX);
    assert_int_equal(message_set_content(message, all_of(&edit->now), &watch), 0);
    decode(message, &content);
    assert_true(slice_equal(all_of(&content), all_of(&edit->now)));
    put_head(&head, message->framing, edit->now.len, shape);
    assert_true(slice_equal(all_of(&message->head), all_of(&head)));
    if (message->framing == MESSAGE_LENGTH && edit->old.len != edit->now.len)
        assert_int_equal(
            buf_printf(&told, "Content-Length:%zu=%zu", edit->old.len, edit->now.len), 0);
    assert_true(slice_equal(all_of(&edit->fields), all_of(&told)));
    if (message->framing == MESSAGE_CHUNKED)
        check_chunks(message, edit);
    buf_deinit(&content);
    buf_deinit(&head);
    buf_deinit(&told);
}

static void check_round(struct edit *edit)
{
    static const enum message_framing framings[] = {
        MESSAGE_LENGTH, MESSAGE_CHUNKED, MESSAGE_CHUNKED, MESSAGE_CLOSE};
    enum message_framing framing = PICK(framings);
    unsigned shape = (unsigned)rand();
    struct message message;
    struct buf head;
    buf_init(&head, BODY_MAX);
    message_init(&message, BODY_MAX);
    random_text(&edit->now, rand() % 4 ? (size_t)rand() % 60 : 0);
    put_head(&head, framing, edit->now.len, shape);
    put_body(&edit->body, framing, all_of(&edit->now));
    assert_int_equal(message_begin(&message, all_of(&head), framing), 0);
    assert_int_equal(message_append(&message, all_of(&edit->body)), 0);
    for (int n = 0; n < EDITS; n++) {
        buf_clear(&edit->old);
        buf_clear(&edit->body);
        buf_clear(&edit->fields);
        add(&edit->old, all_of(&edit->now));
        add(&edit->body, all_of(&message.body));
        edit->framings = 0;
        random_edit(edit);
        check_edit(&message, edit, shape);
    }
    message_deinit(&message);
    buf_deinit(&head);
}

/* Whatever comes in the place of whatever: a reader finds it, and all else is as it was. */
static void test_random_edits(void **state)
{
    unsigned seed = (unsigned)time(NULL);
    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int round = 0; round < ROUNDS; round++) {
        struct edit edit = {.framings = 0};
        buf_init(&edit.old, BODY_MAX);
        buf_init(&edit.now, BODY_MAX);
        buf_init(&edit.body, BODY_MAX);
        buf_init(&edit.fields, BODY_MAX);
        check_round(&edit);
        buf_deinit(&edit.old);
        buf_deinit(&edit.now);
        buf_deinit(&edit.body);
        buf_deinit(&edit.fields);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_edits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
