#include "capturer/capdiff/message_again.h"

#include <string.h>

#include "capturer/capdiff/capture.h"
#include "capturer/capdiff/chunks.h"
#include "capturer/capdiff/connection.h"
#include "capturer/capdiff/memory.h"

#define STEP ((uint64_t)1024 * 1024)                /* bytes of a capture that are read at a time */
#define PATIENCE_SIZE ((uint64_t)256 * 1024 * 1024) /* … without one of the message */
#define CONTEXT (MESSAGE_AGAIN_SHOWN / 2)           /* bytes before the one that differs */
#define GOT_MAX ((size_t)64 * 1024 * 1024)

/* One message on its way. */
struct again {
    struct capture *capture;
    struct tcp_stream stream;
    struct tcp_sink sink;
    const struct endpoint *from, *to;
    struct buf got; /* what comes next */
    uint64_t left;  /* bytes of the message that have not been read so far */
    uint64_t head;  /* of these, how many are its head */
    bool chunked;   /* the framing of the body is left out */
    struct chunk_stream chunks;
    char context[CONTEXT]; /* the last bytes that were taken */
    size_t context_len;
    bool broken, over;
};

static void got(struct again *again, struct slice bytes)
{
    again->broken = again->broken || buf_append(&again->got, bytes.data, bytes.len) != 0;
}

static void on_data(void *arg, int side, const struct tcp_run *run)
{
    struct again *again = arg;
    size_t len = run->len < again->left ? run->len : (size_t)again->left;
    size_t head = len < again->head ? len : (size_t)again->head;
    struct slice rest = slice_of((const char *)run->data + head, len - head), data;

    (void)side;
    again->left -= len;
    again->head -= head;
    if (!again->chunked)
        got(again, rest);
    while (again->chunked && chunk_stream_next(&again->chunks, &rest, &data))
        got(again, data);
}

static void on_gap(void *arg, int side, uint64_t len)
{
    struct again *again = arg;

    (void)side;
    (void)len;
    again->broken = again->broken || again->left > 0;
}

static void on_clash(void *arg, int side, const struct tcp_clash *clash)
{
    (void)arg;
    (void)side;
    (void)clash;
}

static void on_fin(void *arg, int side)
{
    (void)arg;
    (void)side;
}

static void on_segment(void *arg, const struct segment *segment)
{
    struct again *again = arg;

    if (again->left > 0 && endpoint_equal(&segment->from, again->from) &&
        endpoint_equal(&segment->to, again->to))
        tcp_stream_segment(&again->stream, segment);
}

static bool is_chunked(const struct message *message)
{
    return !message->plain && message->content_len < message->len - message->head_len;
}

static bool again_open(struct again *again, const struct message *message, bool response)
{
    const struct connection *connection = message->connection;
    const char *path = connection != NULL ? connection->http.shared->path : NULL;
    char err[256];

    memset(again, 0, sizeof(*again));
    if (path == NULL || strcmp(path, "-") == 0 || message->gap ||
        capture_open(&again->capture, path, err, sizeof(err)) != 0)
        return false;
    buf_init(&again->got, GOT_MAX);
    again->sink = (struct tcp_sink){on_data, on_gap, on_clash, on_fin, again};
    again->from = response ? connection_server(connection) : connection_client(connection);
    again->to = response ? connection_client(connection) : connection_server(connection);
    again->left = message->len;
    again->head = message->head_len;
    tcp_stream_init(&again->stream, &again->sink, 0);
    tcp_stream_start(&again->stream, message->seq);
    tcp_stream_forget(&again->stream);
    capture_seek(again->capture, message->place);
    return true;
}

static void again_close(struct again *again)
{
    if (again->capture == NULL)
        return;
    tcp_stream_deinit(&again->stream);
    capture_close(again->capture);
    buf_deinit(&again->got);
}

/* Makes some of what comes next available. False: nothing does. */
static bool again_read(struct again *again)
{
    uint64_t passed = 0;

    while (again->got.len == 0 && again->left > 0 && !again->broken && !again->over) {
        again->over = !capture_read(again->capture, STEP, on_segment, again);
        passed += STEP;
        again->broken = again->broken || passed > PATIENCE_SIZE;
    }
    return again->got.len > 0 && !again->broken;
}

/* Takes LEN bytes of what is available. */
static void again_take(struct again *again, size_t len)
{
    size_t kept = len < CONTEXT ? len : CONTEXT, old = CONTEXT - kept;

    if (len == 0)
        return;
    if (old > again->context_len)
        old = again->context_len;
    memmove(again->context, again->context + again->context_len - old, old);
    memcpy(again->context + old, again->got.data + len - kept, kept);
    again->context_len = old + kept;
    buf_consume(&again->got, len);
}

/* What is around the byte that comes next. */
static size_t show(const struct again *again, char *out)
{
    size_t more = MESSAGE_AGAIN_SHOWN - again->context_len;

    if (more > again->got.len)
        more = again->got.len;
    memcpy(out, again->context, again->context_len);
    if (more > 0)
        memcpy(out + again->context_len, again->got.data, more);
    return again->context_len + more;
}

static size_t common(const struct again *a, const struct again *b)
{
    size_t len = a->got.len < b->got.len ? a->got.len : b->got.len, n = 0;

    while (n < len && a->got.data[n] == b->got.data[n])
        n++;
    return n;
}

static bool find(struct again *before, struct again *after, struct message_difference *difference)
{
    difference->offset = 0;
    for (;;) {
        bool more_before = again_read(before), more_after = again_read(after);
        size_t same;

        if (before->broken || after->broken || (!more_before && !more_after))
            return false;
        same = more_before && more_after ? common(before, after) : 0;
        difference->offset += same;
        again_take(before, same);
        again_take(after, same);
        if ((before->got.len > 0 && after->got.len > 0) || !more_before || !more_after)
            break;
    }
    if ((before->got.len == 0 && before->left > 0) || (after->got.len == 0 && after->left > 0))
        return false; /* the file ends before the message does */
    difference->at = before->context_len;
    difference->len_before = show(before, difference->before);
    difference->len_after = show(after, difference->after);
    return true;
}

static bool has_same_content(const struct message *before, const struct message *after)
{
    char one[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];

    return strcmp(message_content_sha256(before, one), message_content_sha256(after, other)) == 0;
}

bool message_again_differ(const struct message *before, const struct message *after, bool response,
    struct message_difference *difference)
{
    struct again a = {.capture = NULL}, b = {.capture = NULL};
    bool found = before->head_len > 0 && after->head_len > 0 && again_open(&a, before, response) &&
                 again_open(&b, after, response);

    difference->framing = has_same_content(before, after);
    a.chunked = found && !difference->framing && is_chunked(before);
    b.chunked = found && !difference->framing && is_chunked(after);
    found = found && find(&a, &b, difference);

    again_close(&a);
    again_close(&b);
    return found;
}

bool message_again_same(const struct message *before, const struct message *after, bool response)
{
    struct again a = {.capture = NULL}, b = {.capture = NULL};
    struct message_difference difference;
    bool same = before->head_len > 0 && after->head_len > 0 && again_open(&a, before, response) &&
                again_open(&b, after, response) && !find(&a, &b, &difference) && !a.broken &&
                !b.broken && a.left == 0 && b.left == 0;

    again_close(&a);
    again_close(&b);
    return same;
}

bool message_again_content(const struct message *message, bool response, struct buf *out)
{
    struct again again = {.capture = NULL};
    bool whole = message->head_len > 0 && message->content_len <= out->max - out->len &&
                 again_open(&again, message, response);

    again.chunked = whole && is_chunked(message);
    while (whole && again_read(&again)) {
        whole = buf_append(out, again.got.data, again.got.len) == 0;
        buf_clear(&again.got);
    }
    whole = whole && again.left == 0 && !again.broken;
    again_close(&again);
    return whole;
}
