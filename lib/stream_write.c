/* What goes out on a stream: writes, what the socket did not take of them, and the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/stream.h"

/* What the socket did not take at once. */
struct pending_write {
    uv_write_t request;
    struct stream *stream;
    char data[];
};

static void on_written(uv_write_t *request, int status)
{
    struct stream *stream = ((struct pending_write *)request)->stream;
    free(request);
    if (status && stream->open && stream->inbox)
        inbox_deliver(stream->inbox); /* what was read before: it may say why */
    if (!stream->open)
        return; /* closed with a queue: the owner wanted that */
    if (status && stream->events->on_error)
        stream->events->on_error(stream, status);
    else if (!status && stream_queued(stream) == 0 && stream->events->on_drain)
        stream->events->on_drain(stream);
}

/*
 * TCP_NODELAY (RFC 9293 §3.7.4), where it says something: what is small waits only for what was
 * sent before and is not acknowledged, so a single write needs none.
 */
static void hurry(struct stream *stream)
{
    if (!stream->hurries)
        (void)uv_tcp_nodelay(&stream->tcp, 1);
    stream->hurries = true;
}

/* Copies the runs without their first SKIP bytes and queues the copy. */
static int queue_rest(struct stream *stream, const uv_buf_t *runs, unsigned int count, size_t skip)
{
    size_t len = 0;
    for (unsigned int i = 0; i < count; i++)
        len += runs[i].len;
    if (len == skip)
        return 0;
    hurry(stream);
    struct pending_write *pending = malloc(sizeof *pending + len - skip);
    if (!pending)
        return UV_ENOMEM;
    pending->stream = stream;
    size_t at = 0;
    for (unsigned int i = 0; i < count; i++) {
        size_t omit = skip < runs[i].len ? skip : runs[i].len;
        if (runs[i].len > omit)
            memcpy(pending->data + at, runs[i].base + omit, runs[i].len - omit);
        at += runs[i].len - omit;
        skip -= omit;
    }
    uv_buf_t rest = uv_buf_init(pending->data, (unsigned int)at);
    int err = uv_write(&pending->request, (uv_stream_t *)&stream->tcp, &rest, 1, on_written);
    if (err)
        free(pending);
    return err;
}

/* As uv_try_write; one run by send(2), which the kernel does with less ado than write(2). */
static int try_write(struct stream *stream, const uv_buf_t *runs, unsigned int count)
{
    int fd = stream_socket(stream);
    if (count != 1 || stream->connecting || stream_queued(stream) > 0 || fd < 0)
        return uv_try_write((uv_stream_t *)&stream->tcp, runs, count);
    int more = stream->ends_next ? MSG_MORE : 0;
    ssize_t sent = send(fd, runs->base, runs->len, MSG_DONTWAIT | MSG_NOSIGNAL | more);
    return sent < 0 ? uv_translate_sys_error(errno) : (int)sent;
}

int stream_write_now(struct stream *stream, const uv_buf_t *runs, unsigned int count)
{
    if (stream->begun)
        hurry(stream);
    stream->begun = true;
    int written = try_write(stream, runs, count);
    if (written == UV_ECONNRESET)
        stream->broken = true;
    if (written < 0 && written != UV_EAGAIN && written != UV_EINTR)
        return written;
    return queue_rest(stream, runs, count, written > 0 ? (size_t)written : 0);
}

int stream_write_wire(struct stream *stream, const uv_buf_t *runs, unsigned int count)
{
    if (!stream->open || stream->shut)
        return UV_EPIPE;
    if (stream->outbox && !stream->lost) {
        if (stream_queued(stream) == 0 && outbox_keep(stream->outbox, stream, runs, count))
            return 0;
        outbox_send(stream->outbox); /* what is before it, and on record */
    }
    return stream->lost ? stream->lost : stream_write_now(stream, runs, count);
}

int stream_write(struct stream *stream, const uv_buf_t *runs, unsigned int count)
{
    return stream->layer && stream->open ? stream->layer->write(stream->layer_state, runs, count)
                                         : stream_write_wire(stream, runs, count);
}

/* What was written goes before the end, and so does what is to be on record. */
void stream_send_kept(struct stream *stream)
{
    if (stream->waiting)
        outbox_send(stream->outbox);
    else if (stream->outbox)
        stream->outbox->before(stream->outbox->arg);
}

bool stream_drained(struct stream *stream)
{
    if (stream->waiting > 0)
        outbox_send(stream->outbox);
    return stream_queued(stream) == 0;
}

static void on_shut(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

/* Where nothing is before it, without a turn of the loop and what that costs. */
static bool shut_now(struct stream *stream)
{
    int fd = stream_socket(stream);
    if (stream->connecting || stream_queued(stream) > 0 || fd < 0)
        return false;
    (void)shutdown(fd, SHUT_WR); /* it fails where the peer is gone, which reading tells */
    return true;
}

int stream_end_now(struct stream *stream)
{
    stream->ends_next = false;
    if (shut_now(stream))
        return 0;
    uv_shutdown_t *request = malloc(sizeof *request);
    if (!request)
        return UV_ENOMEM;
    int err = uv_shutdown(request, (uv_stream_t *)&stream->tcp, on_shut);
    if (err)
        free(request);
    return err;
}

int stream_shutdown_cut(struct stream *stream)
{
    if (stream->shut || !stream->open)
        return 0;
    if (stream->waiting > 0) {
        stream->ends_next = true; /* by one packet, with the last bytes */
        stream->shut = true;
        return 0;
    }
    stream_send_kept(stream);
    int err = stream_end_now(stream);
    stream->shut = err == 0;
    return err;
}

int stream_shutdown(struct stream *stream)
{
    bool layered = stream->layer && !stream->shut && stream->open;
    int err = layered ? stream->layer->end(stream->layer_state) : 0;
    return err ? err : stream_shutdown_cut(stream);
}
