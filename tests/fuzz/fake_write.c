/* What the program writes: at once as far as there is room, the rest from a queue. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fake_net_private.h"
#include "tests/fuzz/fuzz.h"

struct fake_write {
    uv_write_t *request;
    uv_write_cb on_written;
    size_t left; /* bytes that the socket has not taken */
    struct fake_write *next;
    size_t len;
    char data[];
};

static size_t take(struct fake_socket *socket, const char *data, size_t len)
{
    if (len > socket->room)
        len = socket->room;
    if (socket->room != SIZE_MAX)
        socket->room -= len;
    PROMISE(buf_append(&socket->out, data, len) == 0);
    return len;
}

/* libuv tells of it in the handle, too. */
static void set_queued(struct fake_socket *socket, size_t len)
{
    socket->queued = len;
    if (socket->handle)
        socket->handle->write_queue_size = len;
}

static void check_write(const struct fake_socket *socket)
{
    PROMISE(socket && !socket->shutting && !socket->dead);
}

int uv_try_write(uv_stream_t *handle, const uv_buf_t *runs, unsigned int count)
{
    struct fake_socket *socket = fake_socket_open(handle);
    size_t taken = 0, len = 0;
    check_write(socket);
    if (socket->connect || socket->queued > 0)
        return UV_EAGAIN;
    if (socket->out_error) {
        socket->failed = true;
        return socket->out_error;
    }
    for (unsigned int i = 0; i < count && taken == len; i++) {
        taken += take(socket, runs[i].base, runs[i].len);
        len += runs[i].len;
    }
    return taken > 0 || len == 0 ? (int)taken : UV_EAGAIN;
}

int uv_write(uv_write_t *request, uv_stream_t *handle, const uv_buf_t *runs, unsigned int count,
    uv_write_cb on_written)
{
    struct fake_socket *socket = fake_socket_open(handle);
    check_write(socket);
    PROMISE(count == 1 && on_written);
    struct fake_write *made = malloc(sizeof *made + runs->len), **end = &socket->writes;
    PROMISE(made);
    *made = (struct fake_write){
        .request = request, .on_written = on_written, .left = runs->len, .len = runs->len};
    memcpy(made->data, runs->base, runs->len);
    request->handle = handle;
    set_queued(socket, socket->queued + runs->len);
    while (*end)
        end = &(*end)->next;
    *end = made;
    return 0;
}

int uv_shutdown(uv_shutdown_t *request, uv_stream_t *handle, uv_shutdown_cb on_shutdown)
{
    struct fake_socket *socket = fake_socket_open(handle);
    if (!socket || !socket->connected || socket->shutting)
        return UV_ENOTCONN;
    request->handle = handle;
    socket->shutting = true;
    socket->shutdown = request;
    socket->on_shutdown = on_shutdown;
    return 0;
}

static void end_write(struct fake_socket *socket, int status)
{
    struct fake_write *first = socket->writes;
    socket->writes = first->next;
    set_queued(socket, socket->queued - first->left);
    uv_write_t *request = first->request;
    uv_write_cb on_written = first->on_written;
    free(first);
    on_written(request, status);
}

static void end_shutdown(struct fake_socket *socket, int status)
{
    uv_shutdown_t *request = socket->shutdown;
    socket->shutdown = NULL;
    if (request && socket->on_shutdown)
        socket->on_shutdown(request, status);
}

bool fake_socket_write(struct fake_socket *socket)
{
    struct fake_write *first = socket->writes;
    if (first && socket->connect)
        return false;
    if (first && socket->out_error) {
        socket->failed = true;
        end_write(socket, socket->out_error);
        return true;
    }
    if (first && (first->left == 0 || socket->room > 0)) {
        size_t taken = take(socket, first->data + first->len - first->left, first->left);
        first->left -= taken;
        set_queued(socket, socket->queued - taken);
        if (first->left == 0)
            end_write(socket, 0);
        return true;
    }
    if (first || !socket->shutting || socket->fin)
        return false;
    socket->fin = true;
    end_shutdown(socket, 0);
    return true;
}

void fake_socket_abandon(struct fake_socket *socket)
{
    while (socket->writes)
        end_write(socket, UV_ECANCELED);
    end_shutdown(socket, UV_ECANCELED);
}
