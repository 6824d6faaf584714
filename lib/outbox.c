#include "lib/outbox.h"

#include "lib/stream.h"

void outbox_init(struct outbox *outbox, void (*before)(void *arg), void *arg)
{
    buf_init(&outbox->bytes, OUTBOX_KEEP_MAX);
    outbox->count = 0;
    outbox->failed = NULL;
    outbox->before = before;
    outbox->arg = arg;
}

void outbox_deinit(struct outbox *outbox)
{
    buf_deinit(&outbox->bytes);
}

/* The runs behind what is kept: of the write before, where it is the same stream's. */
static void add(struct outbox *outbox, struct stream *stream, const uv_buf_t *runs,
    unsigned int count, size_t len)
{
    struct outbox_write *last = outbox->writes + outbox->count - 1;
    if (outbox->count == 0 || last->stream != stream) {
        last++;
        outbox->count++;
        *last = (struct outbox_write){.stream = stream, .at = outbox->bytes.len};
        stream->waiting++;
    }
    last->len += len;
    for (unsigned int i = 0; i < count; i++) {
        memcpy(outbox->bytes.data + outbox->bytes.len, runs[i].base, runs[i].len);
        outbox->bytes.len += runs[i].len;
    }
}

bool outbox_keep(
    struct outbox *outbox, struct stream *stream, const uv_buf_t *runs, unsigned int count)
{
    size_t len = 0;
    for (unsigned int i = 0; i < count; i++)
        len += runs[i].len;
    if (len > OUTBOX_SMALL_MAX)
        return false;
    if (outbox->count == OUTBOX_WRITES_MAX || len > OUTBOX_KEEP_MAX - outbox->bytes.len)
        outbox_send(outbox);
    if (buf_reserve(&outbox->bytes, len))
        return false;
    if (len > 0)
        add(outbox, stream, runs, count, len);
    return true;
}

static void send_one(struct outbox *outbox, const struct outbox_write *write)
{
    struct stream *stream = write->stream;
    uv_buf_t run = uv_buf_init(outbox->bytes.data + write->at, (unsigned int)write->len);
    stream->waiting--;
    if (stream->lost)
        return;
    stream->lost = stream_write_now(stream, &run, 1);
    if (!stream->lost && stream->waiting == 0 && stream->ends_next)
        stream->lost = stream_end_now(stream);
    if (stream->lost) {
        stream->next_failed = outbox->failed;
        outbox->failed = stream;
    }
}

void outbox_send(struct outbox *outbox)
{
    outbox->before(outbox->arg);
    for (size_t i = 0; i < outbox->count; i++)
        send_one(outbox, &outbox->writes[i]);
    outbox->count = 0;
    buf_clear(&outbox->bytes);
}

void outbox_end_turn(struct outbox *outbox)
{
    struct stream *stream;
    outbox_send(outbox);
    while ((stream = outbox->failed)) {
        outbox->failed = stream->next_failed;
        stream->events->on_lost(stream, stream->lost);
        outbox_send(outbox);
    }
}

void outbox_forget(struct outbox *outbox, const struct stream *stream)
{
    struct stream **link = &outbox->failed;
    while (*link && *link != stream)
        link = &(*link)->next_failed;
    if (*link)
        *link = stream->next_failed;
}
