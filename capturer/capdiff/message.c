#include "capturer/capdiff/message.h"

#include <string.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"

void message_init(struct message *message)
{
    memset(message, 0, sizeof(*message));
    buf_init(&message->raw, MESSAGE_KEPT_MAX);
}

void message_deinit(struct message *message)
{
    buf_deinit(&message->raw);
}

void message_writer_init(struct message_writer *writer, size_t *keep_left)
{
    memset(writer, 0, sizeof(*writer));
    writer->keep_left = keep_left;
    buf_init(&writer->body, MESSAGE_BODY_MAX);
}

void message_writer_deinit(struct message_writer *writer)
{
    sha256_free(writer->raw);
    sha256_free(writer->content);
    writer->raw = writer->content = NULL;
    writer->message = NULL;
    buf_deinit(&writer->body);
}

void message_begin(struct message_writer *writer, struct message *message)
{
    if (writer->raw == NULL)
        writer->raw = sha256_new();
    if (writer->content == NULL)
        writer->content = sha256_new();
    if (writer->raw == NULL || writer->content == NULL)
        memory_need(UV_ENOMEM);
    sha256_reset(writer->raw);
    sha256_reset(writer->content);
    buf_clear(&writer->body);
    writer->body_cut = false;
    writer->message = message;
    message->state = MESSAGE_PARTIAL;
}

void message_append(struct message_writer *writer, const void *data, size_t len, uint64_t time_ns)
{
    struct message *message = writer->message;
    size_t room = MESSAGE_KEPT_MAX - message->raw.len;
    size_t kept = len < room ? len : room;

    if (kept > *writer->keep_left)
        kept = *writer->keep_left;
    if (message->raw.len < message->len || message->gap)
        kept = 0; /* what is kept is how the message begins, without a hole */
    if (kept > 0)
        memory_need(buf_append(&message->raw, data, kept));
    *writer->keep_left -= kept;
    if (len > 0)
        sha256_update(writer->raw, data, len);
    message->len += len;
    if (message->first_ns == 0)
        message->first_ns = time_ns;
    if (time_ns > message->last_ns)
        message->last_ns = time_ns;
}

void message_gap(struct message_writer *writer, uint64_t len)
{
    writer->message->gap = true;
    writer->message->len += len;
}

void message_content(struct message_writer *writer, const void *data, size_t len)
{
    sha256_update(writer->content, data, len);
    writer->message->content_len += len;
    if (writer->body_cut || writer->body.max - writer->body.len < len) {
        writer->body_cut = true;
        buf_clear(&writer->body);
        return;
    }
    memory_need(buf_append(&writer->body, data, len));
}

struct slice message_writer_body(const struct message_writer *writer)
{
    return slice_of(writer->body.data, writer->body.len);
}

void message_end(struct message_writer *writer, enum message_state state)
{
    sha256_hex(writer->raw, writer->message->raw_sha256);
    sha256_hex(writer->content, writer->message->content_sha256);
    writer->message->state = state;
    writer->message = NULL;
}

bool message_equal(const struct message *a, const struct message *b)
{
    if (a->len != b->len)
        return false;
    if (a->len == 0)
        return true;
    if (a->raw.len == a->len && b->raw.len == b->len)
        return memcmp(a->raw.data, b->raw.data, a->raw.len) == 0;
    return strcmp(a->raw_sha256, b->raw_sha256) == 0;
}

bool message_is_prefix(const struct message *shorter, const struct message *longer)
{
    size_t len = shorter->raw.len < longer->raw.len ? shorter->raw.len : longer->raw.len;

    if (shorter->len > longer->len)
        return false;
    return len == 0 || memcmp(shorter->raw.data, longer->raw.data, len) == 0;
}
