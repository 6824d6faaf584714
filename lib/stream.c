#include "lib/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAYER_READ_SIZE (16UL * 1024) /* TLS keeps memory for the most that it got at once */

int stream_init(
    struct stream *stream, uv_loop_t *loop, const struct stream_events *events, void *data)
{
    memset(stream, 0, sizeof *stream);
    int err = uv_tcp_init(loop, &stream->tcp);
    if (err)
        return err;
    stream->tcp.data = stream;
    stream->fd = -1;
    stream->events = events;
    stream->data = data;
    stream->open = true;
    stream->live = true;
    buf_init(&stream->unread, SIZE_MAX); /* no more than is read in one turn */
    return 0;
}

int stream_find_socket(struct stream *stream)
{
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&stream->tcp, &fd) == 0)
        stream->fd = fd;
    return stream->fd;
}

int stream_accept(struct stream *stream, uv_stream_t *listener)
{
    stream->hurries = true;
    return uv_accept(listener, (uv_stream_t *)&stream->tcp);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct stream *stream = request->data;
    free(request);
    stream->connecting = false;
    if (!stream->open)
        return;
    if (stream->events->on_connect)
        stream->events->on_connect(stream, status);
}

int stream_connect(struct stream *stream, const struct sockaddr *address)
{
    uv_connect_t *request = malloc(sizeof *request);
    if (!request)
        return UV_ENOMEM;
    request->data = stream;
    int err = uv_tcp_connect(request, &stream->tcp, address, on_connected);
    stream->connecting = err == 0;
    if (err)
        free(request);
    return err;
}

/*
 * Where libuv asks for memory to read into, it is read at once: recv(2) does it with less ado than
 * libuv's read(2). The memory is of this thread, on whatever loop it is: what is in it is used up
 * before the next read.
 */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static _Thread_local char shared[STREAM_READ_MAX];
    struct stream *stream = handle->data;
    char *room = stream->inbox ? inbox_room(stream->inbox) : shared;
    size_t size = stream->layer ? LAYER_READ_SIZE : STREAM_READ_MAX;
    int fd = stream_socket(stream);
    (void)suggested;
    *buffer = uv_buf_init(room, (unsigned int)size);
    if (fd < 0)
        return;
    stream->got = recv(fd, room, size, MSG_DONTWAIT);
    if (stream->got <= 0)
        stream->got = stream->got < 0 ? uv_translate_sys_error(errno) : UV_EOF;
    buffer->len = 0; /* for libuv nothing is left to read, which it tells with UV_ENOBUFS */
}

void stream_fail(struct stream *stream, int status)
{
    stream_read_stop(stream);
    if (stream->open && stream->events->on_error)
        stream->events->on_error(stream, status);
}

void stream_deliver(struct stream *stream, const char *data, size_t len)
{
    if (stream->open)
        stream->events->on_data(stream, data, len);
}

void stream_deliver_eof(struct stream *stream)
{
    if (!stream->open || stream->eof)
        return;
    stream->eof = true;
    if (stream->events->on_eof)
        stream->events->on_eof(stream);
}

/* An RST ends the reading, too; libuv does not look for it behind the last bytes. */
static bool was_reset(struct stream *stream)
{
    int fd = stream_socket(stream), err = 0;
    socklen_t len = sizeof err;
    if (fd >= 0)
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    stream->broken = stream->broken || err == ECONNRESET; /* it is told once */
    return stream->broken;
}

static void on_end(struct stream *stream)
{
    int err = was_reset(stream) ? UV_ECONNRESET
              : stream->layer   ? stream->layer->take_end(stream->layer_state)
                                : 0;
    if (err == UV_EAGAIN)
        return; /* libuv tells it again to an owner that reads again */
    stream_read_stop(stream);
    if (err)
        stream_fail(stream, err);
    else
        stream_deliver_eof(stream);
}

static void take(struct stream *stream, const char *data, size_t len)
{
    int err = stream->layer->take(stream->layer_state, data, len);
    if (err)
        stream_fail(stream, err);
}

static bool has_unread(const struct stream *stream)
{
    return stream->unread.len > 0 || stream->unread_end;
}

static void keep_unread(struct stream *stream, const char *data, ssize_t got)
{
    if (stream->unread_end)
        return;
    if (got <= 0)
        stream->unread_end = (int)got;
    else if (buf_append(&stream->unread, data, (size_t)got) != 0)
        stream->unread_end = UV_ENOMEM;
}

static void tell(struct stream *stream, const char *data, ssize_t got)
{
    if (got > 0 && stream->layer)
        take(stream, data, (size_t)got);
    else if (got > 0)
        stream->events->on_data(stream, data, (size_t)got);
    else if (got == UV_EOF)
        on_end(stream);
    else
        stream_fail(stream, (int)got);
}

void stream_take(struct stream *stream, const char *data, ssize_t got)
{
    if (!stream->reading || has_unread(stream))
        keep_unread(stream, data, got);
    else
        tell(stream, data, got);
}

void stream_take_unread(struct stream *stream)
{
    struct buf unread = stream->unread;
    int end = stream->unread_end;
    if (!stream->reading)
        return;
    buf_init(&stream->unread, unread.max);
    stream->unread_end = 0;
    if (unread.len > 0)
        tell(stream, unread.data, (ssize_t)unread.len);
    if (end < 0)
        stream_take(stream, NULL, end);
    buf_deinit(&unread);
}

static void on_read(uv_stream_t *handle, ssize_t got, const uv_buf_t *buffer)
{
    struct stream *stream = handle->data;
    if (got == UV_ENOBUFS)
        got = stream->got;
    if (got == 0 || got == UV_EAGAIN || got == UV_EINTR)
        return;
    if (stream->inbox)
        inbox_take(stream->inbox, stream, got);
    else
        stream_take(stream, buffer->base, got);
}

bool stream_read_now(struct stream *stream)
{
    char bytes[4096]; /* not the shared buffer: an event may be looking at it */
    int fd = stream_socket(stream);
    if (!stream->reading || fd < 0)
        return false;
    ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got == 0)
        on_end(stream);
    else if (got > 0)
        stream_take(stream, bytes, got);
    else if (errno != EAGAIN && errno != EINTR)
        stream_fail(stream, uv_translate_sys_error(errno));
    else if (stream->layer)
        take(stream, bytes, 0); /* what an event came out of the middle of */
    return got == sizeof bytes;
}

void stream_set_layer(struct stream *stream, const struct stream_layer *layer, void *state)
{
    stream->layer = layer;
    stream->layer_state = state;
}

int stream_read_start(struct stream *stream)
{
    if (stream->reading || !stream->open)
        return 0;
    int err = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
    stream->reading = err == 0;
    if (!err && has_unread(stream))
        inbox_resume(stream->inbox, stream);
    if (!err && stream->layer)
        stream->layer->resume(stream->layer_state);
    return err;
}

void stream_read_stop(struct stream *stream)
{
    if (!stream->reading)
        return;
    uv_read_stop((uv_stream_t *)&stream->tcp);
    stream->reading = false;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    stream->live = false;
    if (stream->layer)
        stream->layer->free(stream->layer_state);
    stream->layer = NULL;
    if (stream->events->on_closed)
        stream->events->on_closed(stream);
}

/* False if there is nothing left to close. */
static bool begin_close(struct stream *stream)
{
    if (!stream->open)
        return false;
    stream_send_kept(stream);
    if (stream->lost)
        outbox_forget(stream->outbox, stream);
    if (stream->inbox)
        inbox_forget(stream->inbox, stream);
    buf_deinit(&stream->unread);
    stream->open = false;
    stream->reading = false;
    return true;
}

void stream_close(struct stream *stream)
{
    if (begin_close(stream))
        uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
}

void stream_reset(struct stream *stream)
{
    stream->ends_next = false;
    if (!begin_close(stream))
        return;
    /* uv_tcp_close_reset refuses after a shutdown, so set the linger of RST ourselves. */
    int fd = stream_socket(stream);
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    uv_close((uv_handle_t *)&stream->tcp, on_handle_closed);
}

void stream_watch(struct stream *stream, unsigned int seconds)
{
    if (!stream->watched)
        (void)uv_tcp_keepalive(&stream->tcp, 1, seconds);
    stream->watched = true;
}

int stream_local_address(const struct stream *stream, struct sockaddr_storage *address)
{
    int len = sizeof *address;
    return uv_tcp_getsockname(&stream->tcp, (struct sockaddr *)address, &len);
}

int stream_peer_address(const struct stream *stream, struct sockaddr_storage *address)
{
    int len = sizeof *address;
    return uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)address, &len);
}
