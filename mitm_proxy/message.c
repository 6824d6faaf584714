#include "mitm_proxy/message.h"

#include <stdint.h>
#include <stdio.h>

#include "lib/chunks.h"
#include "lib/http_head.h"
#include "mitm_proxy/message_head.h"

#define HEAD_MAX (4 * HTTP_HEAD_MAX) /* with what rules add to it */

void message_init(struct message *message, size_t body_max)
{
    buf_init(&message->head, HEAD_MAX);
    buf_init(&message->body, body_max);
    buf_init(&message->content, body_max);
    message->framing = MESSAGE_LENGTH;
}

void message_deinit(struct message *message)
{
    buf_deinit(&message->head);
    buf_deinit(&message->body);
    buf_deinit(&message->content);
}

int message_begin(struct message *message, struct slice head, enum message_framing framing)
{
    message->framing = framing;
    return buf_append(&message->head, head.data, head.len);
}

int message_append(struct message *message, struct slice body)
{
    return buf_append(&message->body, body.data, body.len);
}

int message_content(struct message *message, struct slice *content)
{
    struct slice rest = slice_of(message->body.data, message->body.len);
    struct chunk chunk;
    int err = 0;
    *content = rest;
    if (message->framing != MESSAGE_CHUNKED)
        return 0;
    buf_clear(&message->content);
    while (!err && chunks_next(&rest, &chunk) && chunk.size > 0)
        err = buf_append(&message->content, chunk.data.data, chunk.data.len);
    *content = slice_of(message->content.data, message->content.len);
    return err;
}

static void tell_field(
    const struct message_watch *watch, struct slice name, struct slice old, struct slice new_value)
{
    if (watch)
        watch->on_field(watch->arg, name, old, new_value);
}

static void tell_framing(
    const struct message_watch *watch, enum message_framing old, enum message_framing now)
{
    if (watch)
        watch->on_framing(watch->arg, old, now);
}

/* What a new content has in the place of what an old one had there; all else is the same. */
struct splice {
    uint64_t from, to; /* in the old content */
    struct slice text;
};

static struct splice find_splice(struct slice old, struct slice now)
{
    size_t most = old.len < now.len ? old.len : now.len, front = 0, back = 0;
    while (front < most && old.data[front] == now.data[front])
        front++;
    while (back < most - front && old.data[old.len - 1 - back] == now.data[now.len - 1 - back])
        back++;
    return (struct splice){
        front, old.len - back, slice_of(now.data + front, now.len - front - back)};
}

/* Where the chunk begins that the splice ends in, or is put into: the rest of the text goes there.
 */
static uint64_t last_chunk(struct slice body, const struct splice *splice)
{
    struct chunk chunk;
    uint64_t at = 0, last = UINT64_MAX;
    while (
        chunks_next(&body, &chunk) && chunk.size > 0 && (at <= splice->from || at < splice->to)) {
        last = at;
        at += chunk.size;
    }
    return last;
}

static int append_slice(struct buf *out, struct slice text)
{
    return buf_append(out, text.data, text.len);
}

/* The line of a chunk that has SIZE bytes now: how its size is written changes only with it. */
static int append_size_line(struct buf *out, const struct chunk *chunk, uint64_t size)
{
    struct slice rest = chunk->line;
    int err = 0;
    if (size != chunk->size) {
        size_t digits = strspn(rest.data, "0123456789abcdefABCDEF"); /* a CR is behind the line */
        rest = slice_of(rest.data + digits, rest.len - digits);
        err = buf_printf(out, "%llx", (unsigned long long)size);
    }
    if (!err)
        err = append_slice(out, rest);
    return err ? err : buf_append_str(out, "\r\n");
}

/* One chunk with TEXT in the place of the bytes FROM to TO of its own; an empty one goes. */
static int splice_chunk(
    struct buf *out, const struct chunk *chunk, size_t from, size_t to, struct slice text)
{
    size_t size = from + text.len + (chunk->data.len - to);
    if (size == 0)
        return 0;
    int err = append_size_line(out, chunk, size);
    if (!err)
        err = buf_append(out, chunk->data.data, from);
    if (!err)
        err = append_slice(out, text);
    if (!err)
        err = buf_append(out, chunk->data.data + to, chunk->data.len - to);
    return err ? err : buf_append_str(out, "\r\n");
}

static size_t within(uint64_t place, uint64_t start, size_t len)
{
    return place <= start ? 0 : place - start < len ? (size_t)(place - start) : len;
}

/*
 * Every chunk gets as many bytes of the text as it loses, so that its border stays; the last one
 * gets what is left.
 */
static int splice_chunks(struct buf *out, struct slice body, struct splice splice)
{
    uint64_t last = last_chunk(body, &splice), at = 0;
    struct slice rest = body, before = body;
    struct chunk chunk;
    int err = 0;
    while (!err && chunks_next(&rest, &chunk) && chunk.size > 0) {
        size_t from = within(splice.from, at, chunk.data.len);
        size_t to = within(splice.to, at, chunk.data.len);
        size_t take = at == last || to - from > splice.text.len ? splice.text.len : to - from;
        if (to > from || at == last)
            err = splice_chunk(out, &chunk, from, to, slice_of(splice.text.data, take));
        else
            err = buf_append(out, before.data, before.len - rest.len);
        splice.text = slice_of(splice.text.data + take, splice.text.len - take);
        at += chunk.size;
        before = rest;
    }
    if (!err && last == UINT64_MAX) {
        err = buf_printf(out, "%zx\r\n", splice.text.len);
        if (!err)
            err = append_slice(out, splice.text);
        if (!err)
            err = buf_append_str(out, "\r\n");
    }
    return err ? err : append_slice(out, before);
}

static int set_chunked_content(
    struct message *message, struct slice content, const struct message_watch *watch)
{
    struct slice old;
    struct buf out;
    int err = message_content(message, &old);
    if (err || slice_equal(old, content))
        return err;
    struct splice splice = find_splice(old, content);
    buf_init(&out, message->body.max);
    err = splice_chunks(&out, slice_of(message->body.data, message->body.len), splice);
    if (err) {
        buf_deinit(&out);
        return err;
    }
    buf_deinit(&message->body);
    message->body = out;
    if (splice.to - splice.from != splice.text.len)
        tell_framing(watch, MESSAGE_CHUNKED, MESSAGE_CHUNKED);
    return 0;
}

/* What the lines with that name say: absent where there is none. VALUES owns it. */
static int field_values(const struct message *message, struct slice name, struct slice *shown,
    struct buf *values, struct slice *old)
{
    int err = message_head_values(&message->head, name, shown, values);
    *old = shown->data ? slice_of(values->len > 0 ? values->data : "", values->len)
                       : slice_of(NULL, 0);
    return err;
}

static int set_named(struct message *message, struct slice name, struct slice value,
    bool as_it_came, const struct message_watch *watch)
{
    struct slice shown, old;
    struct buf values;
    /* What does not fit is found out before anyone hears of it. */
    int err = buf_reserve(&message->head, name.len + value.len + 4);
    buf_init(&values, HEAD_MAX);
    if (!err)
        err = field_values(message, name, &shown, &values, &old);
    if (!err && (!old.data || !slice_equal(old, value))) {
        tell_field(watch, as_it_came && shown.data ? shown : name, old, value);
        err = message_head_set(&message->head, name, value);
    }
    buf_deinit(&values);
    return err;
}

int message_set_field(struct message *message, struct slice name, struct slice value,
    const struct message_watch *watch)
{
    return set_named(message, name, value, true, watch);
}

int message_remove_field(
    struct message *message, struct slice name, const struct message_watch *watch)
{
    struct slice shown, old;
    struct buf values;
    buf_init(&values, HEAD_MAX);
    int err = field_values(message, name, &shown, &values, &old);
    if (!err && old.data) {
        tell_field(watch, shown, old, slice_of(NULL, 0));
        message_head_remove(&message->head, name);
    }
    buf_deinit(&values);
    return err;
}

/* The number that the content has now, where the head tells one or has to. */
static int set_length(struct message *message, size_t length, const struct message_watch *watch)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", length);
    return set_named(message, slice_str("Content-Length"), slice_str(digits), false, watch);
}

int message_take_content(
    struct message *message, struct buf *content, const struct message_watch *watch)
{
    struct slice now = slice_of(content->data, content->len);
    if (message->framing == MESSAGE_CHUNKED)
        return set_chunked_content(message, now, watch);
    if (slice_equal(slice_of(message->body.data, message->body.len), now))
        return 0;
    int err = 0;
    if (message->framing == MESSAGE_LENGTH && message->body.len != now.len)
        err = set_length(message, now.len, watch);
    struct buf old = message->body;
    message->body = *content;
    *content = old;
    return err;
}

int message_set_content(
    struct message *message, struct slice content, const struct message_watch *watch)
{
    struct buf copy;
    buf_init(&copy, message->body.max);
    int err = buf_append(&copy, content.data, content.len);
    if (!err)
        err = message_take_content(message, &copy, watch);
    buf_deinit(&copy);
    return err;
}

/* One framing field in the place of the other. */
static int swap_framing(struct message *message, const char *old_name, const char *name,
    const char *value, const struct message_watch *watch)
{
    struct slice shown, old;
    struct buf values;
    buf_init(&values, HEAD_MAX);
    int err = field_values(message, slice_str(old_name), &shown, &values, &old);
    if (!err && old.data)
        tell_field(watch, slice_str(old_name), old, slice_of(NULL, 0));
    if (!err) {
        tell_field(watch, slice_str(name), slice_of(NULL, 0), slice_str(value));
        err = message_head_swap(
            &message->head, slice_str(old_name), slice_str(name), slice_str(value));
    }
    buf_deinit(&values);
    return err;
}

int message_set_chunked(struct message *message, const struct message_watch *watch)
{
    enum message_framing old = message->framing;
    int err = 0;
    if (old != MESSAGE_CHUNKED)
        err = swap_framing(message, "Content-Length", "Transfer-Encoding", "chunked", watch);
    message->framing = MESSAGE_CHUNKED;
    if (!err)
        tell_framing(watch, old, MESSAGE_CHUNKED);
    return err;
}

int message_to_length(struct message *message, const struct message_watch *watch)
{
    enum message_framing old = message->framing;
    struct slice content;
    char digits[24];
    int err = message_content(message, &content);
    if (err || old == MESSAGE_LENGTH)
        return err;
    snprintf(digits, sizeof digits, "%zu", content.len);
    if (old == MESSAGE_CHUNKED) {
        /* What was decoded takes the place of what it was decoded from. */
        struct buf framed = message->body;
        message->body = message->content;
        message->content = framed;
    }
    message->framing = MESSAGE_LENGTH;
    err = swap_framing(message, "Transfer-Encoding", "Content-Length", digits, watch);
    if (!err)
        tell_framing(watch, old, MESSAGE_LENGTH);
    return err;
}

const char *message_framing_name(enum message_framing framing)
{
    static const char *const names[] = {"length", "chunked", "close"};
    return names[framing];
}
