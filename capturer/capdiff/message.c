#include "capturer/capdiff/message.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/chunks.h"
#include "capturer/capdiff/memory.h"

#define SPARE_MAX ((size_t)64 * 1024) /* bytes that the spare memory may have */
#define GATHERED_MAX 1024             /* bytes of small chunks that are hashed at a time */

struct message_digests {
    char raw[SHA256_HEX_SIZE];     /* "": not everything had to be hashed */
    char content[SHA256_HEX_SIZE]; /* "": there is none, or it is what follows the head */
};

void message_init(struct message *message)
{
    memset(message, 0, sizeof(*message));
    buf_init(&message->raw, MESSAGE_KEPT_MAX);
}

void message_deinit(struct message *message)
{
    buf_deinit(&message->raw);
    free(message->digests);
}

void message_drop(struct message *message, struct message_pool *pool)
{
    pool->held -= message->raw.len;
    message_deinit(message);
}

void message_pool_init(struct message_pool *pool, size_t max)
{
    pool->held = 0;
    pool->max = max;
    buf_init(&pool->spare, MESSAGE_KEPT_MAX);
}

void message_pool_deinit(struct message_pool *pool)
{
    buf_deinit(&pool->spare);
}

void message_writer_init(struct message_writer *writer, struct message_pool *pool)
{
    memset(writer, 0, sizeof(*writer));
    writer->pool = pool;
}

void message_writer_deinit(struct message_writer *writer)
{
    sha256_free(writer->raw);
    sha256_free(writer->content);
    writer->raw = writer->content = NULL;
    writer->message = NULL;
}

static void sha_begin(struct sha256 **sha)
{
    if (*sha == NULL)
        *sha = sha256_new();
    if (*sha == NULL)
        memory_need(UV_ENOMEM);
    sha256_reset(*sha);
}

void message_begin(struct message_writer *writer, struct message *message)
{
    writer->hashing = writer->told = false;
    writer->message = message;
    message->state = MESSAGE_PARTIAL;
    /* Several messages are under way at a time: the others get memory of their own. */
    message->raw = writer->pool->spare;
    buf_init(&writer->pool->spare, MESSAGE_KEPT_MAX);
}

/* What was gathered goes to a place of its size. */
static void settle(struct message_writer *writer)
{
    struct message *message = writer->message;
    struct buf gathered = message->raw;

    buf_init(&message->raw, MESSAGE_KEPT_MAX);
    if (gathered.len > 0) {
        message->raw.data = memory_raw(gathered.len);
        message->raw.size = message->raw.len = gathered.len;
        memcpy(message->raw.data, gathered.data, gathered.len);
    }
    buf_clear(&gathered);
    if (writer->pool->spare.size == 0 && gathered.size <= SPARE_MAX)
        writer->pool->spare = gathered;
    else
        buf_deinit(&gathered);
}

/* Hashes the first LEN bytes of what is in the chunks. */
static void hash_chunks(struct sha256 *sha, struct slice body, uint64_t len)
{
    char gathered[GATHERED_MAX];
    size_t n = 0;
    struct chunk chunk;

    while (len > 0 && chunks_next(&body, &chunk) && chunk.size > 0) {
        size_t part = chunk.data.len < len ? chunk.data.len : (size_t)len;

        if (part > GATHERED_MAX - n) {
            sha256_update(sha, gathered, n);
            n = 0;
        }
        if (part > GATHERED_MAX) {
            sha256_update(sha, chunk.data.data, part);
        } else {
            memcpy(gathered + n, chunk.data.data, part);
            n += part;
        }
        len -= part;
    }
    sha256_update(sha, gathered, n);
}

/* Hashes the content of which MESSAGE has been told, in RAW, which begins as the message does. */
static void hash_content(struct sha256 *sha, const struct message *message, struct slice raw)
{
    struct slice body = slice_of(raw.data + message->head_len, raw.len - (size_t)message->head_len);

    if (message->plain || message->content_len == body.len)
        sha256_update(sha, body.data, body.len);
    else
        hash_chunks(sha, body, message->content_len);
}

static void take_content(struct message_writer *writer, const void *data, size_t len)
{
    if (!writer->told)
        sha_begin(&writer->content);
    writer->told = true;
    sha256_update(writer->content, data, len);
}

/* Content of which the message was told already: in what is kept, and in NEXT. */
static void take_told(struct message_writer *writer, struct slice next)
{
    const struct message *message = writer->message;
    struct buf all;

    buf_init(&all, message->raw.len + next.len);
    memory_need(buf_append(&all, message->raw.data, message->raw.len));
    memory_need(buf_append(&all, next.data, next.len));
    take_content(writer, NULL, 0);
    hash_content(writer->content, message, slice_of(all.data, all.len));
    buf_deinit(&all);
}

/* From here on, where NEXT comes, not everything is kept, so the digests have to go along. */
static void begin_hashing(struct message_writer *writer, struct slice next)
{
    const struct message *message = writer->message;

    if (writer->hashing)
        return;
    writer->hashing = true;
    sha_begin(&writer->raw);
    if (message->raw.len > 0)
        sha256_update(writer->raw, message->raw.data, message->raw.len);
    if (message->plain)
        take_content(writer, message->raw.data + message->head_len,
            message->raw.len - (size_t)message->head_len);
    else if (message->content_len > 0)
        take_told(writer, next);
}

void message_append(struct message_writer *writer, const void *data, size_t len, uint64_t time_ns)
{
    struct message *message = writer->message;
    size_t room = MESSAGE_KEPT_MAX - message->raw.len;
    size_t kept = len < room ? len : room;

    if (kept > writer->pool->max - writer->pool->held)
        kept = writer->pool->max - writer->pool->held;
    if (kept < len || writer->hashing) {
        begin_hashing(writer, slice_of(data, len));
        sha256_update(writer->raw, data, len);
        if (message->plain)
            take_content(writer, data, len);
    }
    if (message->raw.len < message->len)
        kept = 0; /* what is kept is how the message begins, without a hole */
    if (kept > 0)
        memory_need(buf_append(&message->raw, data, kept));
    writer->pool->held += kept;
    message->len += len;
    message->content_len += message->plain ? len : 0;
    if (message->first_ns == 0)
        message->first_ns = time_ns;
    if (time_ns > message->last_ns)
        message->last_ns = time_ns;
}

bool message_all(
    struct message_writer *writer, const void *data, size_t head, size_t len, uint64_t time_ns)
{
    struct message *message = writer->message;
    struct message_pool *pool = writer->pool;

    if (len > MESSAGE_KEPT_MAX || len > pool->max - pool->held || message->raw.len > 0)
        return false;
    if (pool->spare.size == 0)
        pool->spare = message->raw;
    else
        buf_deinit(&message->raw);
    message->raw = (struct buf){memory_raw(len), len, len, MESSAGE_KEPT_MAX};
    memcpy(message->raw.data, data, len);
    pool->held += len;
    message->len = len;
    message->head_len = head;
    message->content_len = len - head;
    message->first_ns = message->last_ns = time_ns;
    message->plain = message->ended = true;
    message->state = MESSAGE_WHOLE;
    writer->message = NULL;
    return true;
}

void message_gap(struct message_writer *writer, uint64_t len)
{
    begin_hashing(writer, slice_of(NULL, 0));
    writer->message->gap = true;
    writer->message->len += len;
}

void message_plain(struct message_writer *writer)
{
    writer->message->plain = true;
}

void message_content(struct message_writer *writer, const void *data, size_t len)
{
    if (writer->hashing)
        take_content(writer, data, len);
    writer->message->content_len += len;
}

void message_end(struct message_writer *writer, enum message_state state)
{
    struct message *message = writer->message;

    if (writer->hashing) {
        message->digests = memory_new(1, sizeof(*message->digests));
        sha256_hex(writer->raw, message->digests->raw);
        if (writer->told)
            sha256_hex(writer->content, message->digests->content);
    }
    message->state = state;
    message->ended = true;
    settle(writer);
    writer->message = NULL;
}

/* For all that is asked, which is between two slices of the captures, when one thread runs. */
static struct sha256 *asked(void)
{
    static struct sha256 *sha;

    sha_begin(&sha);
    return sha;
}

const char *message_raw_sha256(const struct message *message, char out[SHA256_HEX_SIZE])
{
    struct sha256 *sha;

    if (message->digests != NULL && message->digests->raw[0] != '\0')
        return memcpy(out, message->digests->raw, SHA256_HEX_SIZE);
    sha = asked();
    sha256_update(sha, message->raw.data, message->raw.len);
    sha256_hex(sha, out);
    return out;
}

const char *message_content_sha256(const struct message *message, char out[SHA256_HEX_SIZE])
{
    struct sha256 *sha;

    if (message->digests != NULL && message->digests->content[0] != '\0')
        return memcpy(out, message->digests->content, SHA256_HEX_SIZE);
    if (message->state == MESSAGE_NONE) {
        out[0] = '\0';
        return out;
    }
    sha = asked();
    if (message->content_len > 0)
        hash_content(sha, message, slice_of(message->raw.data, message->raw.len));
    sha256_hex(sha, out);
    return out;
}

bool message_equal(const struct message *a, const struct message *b)
{
    char of_a[SHA256_HEX_SIZE], of_b[SHA256_HEX_SIZE];

    if (a->len != b->len || a->gap || b->gap)
        return false;
    if (a->raw.len == a->len && b->raw.len == b->len)
        return a->len == 0 || memcmp(a->raw.data, b->raw.data, a->raw.len) == 0;
    return strcmp(message_raw_sha256(a, of_a), message_raw_sha256(b, of_b)) == 0;
}

bool message_is_prefix(const struct message *shorter, const struct message *longer)
{
    size_t len = shorter->raw.len < longer->raw.len ? shorter->raw.len : longer->raw.len;

    if (shorter->len > longer->len)
        return false;
    return len == 0 || memcmp(shorter->raw.data, longer->raw.data, len) == 0;
}
