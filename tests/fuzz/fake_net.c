#include "tests/fuzz/fake_net.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/fuzz.h"

#define SENT_MAX (64UL << 20) /* bytes of one direction of a socket */
#define FIRST_PORT 20000
#define PIECES_MAX 512 /* bytes waiting, from which on they come at once */

struct fake_write {
    uv_write_t *request;
    uv_write_cb on_written;
    size_t left; /* bytes that the socket has not taken */
    struct fake_write *next;
    size_t len;
    char data[];
};

static struct {
    struct fake_net net;
    struct fake_socket sockets[FAKE_SOCKETS_MAX];
    size_t count;
    uv_tcp_t *listener;
    uv_connection_cb on_connection;
    struct fake_socket *pending; /* for the listener to accept */
} fake;

struct fake_net *fake_net_begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake.net.room = SIZE_MAX;
    (void)uv_ip4_addr("127.0.0.1", 8080, &fake.net.local);
    return &fake.net;
}

void fake_net_end(void)
{
    for (size_t i = 0; i < fake.count; i++) {
        PROMISE(!fake.sockets[i].writes);
        buf_deinit(&fake.sockets[i].in);
        buf_deinit(&fake.sockets[i].out);
    }
    fake.count = 0;
}

static struct fake_socket *new_socket(void)
{
    if (fake.count == FAKE_SOCKETS_MAX)
        return NULL;
    struct fake_socket *socket = &fake.sockets[fake.count++];
    memset(socket, 0, sizeof *socket);
    buf_init(&socket->in, SENT_MAX);
    buf_init(&socket->out, SENT_MAX);
    socket->room = fake.net.room;
    socket->piece = fake.net.piece;
    socket->local = fake.net.local;
    (void)uv_ip4_addr("10.0.0.9", (int)(FIRST_PORT + fake.count), &socket->peer);
    return socket;
}

struct fake_socket *fake_net_socket(size_t index)
{
    return index < fake.count ? &fake.sockets[index] : NULL;
}

struct fake_socket *fake_net_by_port(uint16_t port)
{
    for (size_t i = 0; i < fake.count; i++) {
        const struct fake_socket *socket = &fake.sockets[i];
        if (port == (socket->accepted ? socket->peer : socket->local).sin_port)
            return &fake.sockets[i];
    }
    return NULL;
}

struct fake_socket *fake_net_call(void)
{
    if (!fake.listener || !fake_handle_is_open((uv_handle_t *)fake.listener))
        return NULL;
    fake.pending = new_socket();
    struct fake_socket *made = fake.pending;
    if (!made)
        return NULL;
    made->accepted = made->connected = true;
    fake.on_connection((uv_stream_t *)fake.listener, 0);
    PROMISE(!fake.pending);
    return made;
}

bool fake_socket_send(struct fake_socket *socket, const void *data, size_t len)
{
    return buf_append(&socket->in, data, len) == 0;
}

/* --- handles --- */

static struct fake_socket *of(const void *handle)
{
    for (size_t i = fake.count; i > 0; i--)
        if (fake.sockets[i - 1].handle == handle)
            return &fake.sockets[i - 1];
    return NULL;
}

static struct fake_socket *open_socket(const void *handle)
{
    struct fake_socket *socket = of(handle);
    PROMISE(fake_handle_is_open(handle));
    return socket;
}

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *handle)
{
    fake_handle_init(loop, (uv_handle_t *)handle, UV_TCP);
    return 0;
}

int uv_tcp_bind(uv_tcp_t *handle, const struct sockaddr *address, unsigned int flags)
{
    PROMISE(fake_handle_is_open((uv_handle_t *)handle) && address && flags == 0);
    return 0;
}

int uv_listen(uv_stream_t *handle, int backlog, uv_connection_cb on_connection)
{
    PROMISE(fake_handle_is_open((uv_handle_t *)handle) && backlog > 0 && !fake.listener);
    fake.listener = (uv_tcp_t *)handle;
    fake.on_connection = on_connection;
    return 0;
}

int uv_accept(uv_stream_t *listener, uv_stream_t *client)
{
    PROMISE(listener == (uv_stream_t *)fake.listener);
    PROMISE(fake_handle_is_open((uv_handle_t *)client));
    if (!fake.pending)
        return UV_EAGAIN;
    fake.pending->handle = (uv_tcp_t *)client;
    fake.pending = NULL;
    return 0;
}

int uv_tcp_nodelay(uv_tcp_t *handle, int enable)
{
    PROMISE(open_socket(handle) && enable);
    return 0;
}

int uv_tcp_keepalive(uv_tcp_t *handle, int enable, unsigned int delay)
{
    PROMISE(open_socket(handle) && enable && delay > 0);
    return 0;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd)
{
    PROMISE(handle);
    *fd = -1;
    return UV_EBADF; /* there is none */
}

int uv_tcp_getsockname(const uv_tcp_t *handle, struct sockaddr *name, int *len)
{
    const struct fake_socket *socket = of(handle);
    const struct sockaddr_in *address = handle == fake.listener ? &fake.net.local : NULL;
    PROMISE(*len >= (int)sizeof *address);
    if (socket)
        address = &socket->local;
    if (!address)
        return UV_EBADF;
    memcpy(name, address, sizeof *address);
    return 0;
}

int uv_tcp_getpeername(const uv_tcp_t *handle, struct sockaddr *name, int *len)
{
    const struct fake_socket *socket = of(handle);
    PROMISE(*len >= (int)sizeof socket->peer);
    if (!socket || !socket->connected)
        return UV_ENOTCONN;
    memcpy(name, &socket->peer, sizeof socket->peer);
    return 0;
}

/* --- connecting --- */

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *handle, const struct sockaddr *address,
    uv_connect_cb on_connect)
{
    PROMISE(fake_handle_is_open((uv_handle_t *)handle) && !of(handle));
    struct fake_socket *socket = new_socket();
    if (!socket)
        return UV_EMFILE;
    socket->handle = handle;
    (void)uv_ip4_addr("10.0.0.1", (int)(FIRST_PORT + fake.count), &socket->local);
    if (address->sa_family == AF_INET)
        memcpy(&socket->peer, address, sizeof socket->peer);
    request->handle = (uv_stream_t *)handle;
    socket->connect = request;
    socket->on_connect = on_connect;
    socket->connect_status = fake.net.connects_wait ? 1 : fake.net.connect_status;
    return 0;
}

void fake_socket_connect(struct fake_socket *socket, int status)
{
    if (socket->connect)
        socket->connect_status = status;
}

static bool end_connect(struct fake_socket *socket, int status)
{
    uv_connect_t *request = socket->connect;
    socket->connect = NULL;
    socket->connected = status == 0;
    socket->on_connect(request, status);
    return true;
}

/* --- reading --- */

int uv_read_start(uv_stream_t *handle, uv_alloc_cb on_alloc, uv_read_cb on_read)
{
    struct fake_socket *socket = open_socket(handle);
    if (!socket || !socket->connected)
        return UV_ENOTCONN;
    PROMISE(!socket->reading);
    socket->reading = true;
    socket->in_end_told = false;
    socket->on_alloc = on_alloc;
    socket->on_read = on_read;
    return 0;
}

int uv_read_stop(uv_stream_t *handle)
{
    struct fake_socket *socket = of(handle);
    if (socket)
        socket->reading = false;
    return 0;
}

static bool give(struct fake_socket *socket)
{
    uv_stream_t *handle = (uv_stream_t *)socket->handle;
    uv_buf_t buffer = {0};
    socket->on_alloc((uv_handle_t *)handle, 65536, &buffer);
    PROMISE(buffer.base && buffer.len > 0);
    size_t len = socket->in.len - socket->in_read;
    if (len > buffer.len)
        len = buffer.len;
    if (socket->piece > 0 && len > socket->piece && len < PIECES_MAX)
        len = socket->piece;
    memcpy(buffer.base, socket->in.data + socket->in_read, len);
    socket->in_read += len;
    socket->on_read(handle, (ssize_t)len, &buffer);
    return true;
}

static bool read_some(struct fake_socket *socket)
{
    if (!socket->reading)
        return false;
    if (socket->in_read < socket->in.len)
        return give(socket);
    if (socket->in_end_told || (!socket->in_fin && !socket->in_error))
        return false;
    uv_buf_t none = {0};
    socket->in_end_told = true;
    socket->on_read(
        (uv_stream_t *)socket->handle, socket->in_error ? socket->in_error : UV_EOF, &none);
    return true;
}

/* --- writing --- */

static size_t take(struct fake_socket *socket, const char *data, size_t len)
{
    if (len > socket->room)
        len = socket->room;
    if (socket->room != SIZE_MAX)
        socket->room -= len;
    PROMISE(buf_append(&socket->out, data, len) == 0);
    return len;
}

static void check_write(const struct fake_socket *socket)
{
    PROMISE(socket && !socket->shutting && !socket->dead);
}

int uv_try_write(uv_stream_t *handle, const uv_buf_t *runs, unsigned int count)
{
    struct fake_socket *socket = open_socket(handle);
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
    struct fake_socket *socket = open_socket(handle);
    check_write(socket);
    PROMISE(count == 1 && on_written);
    struct fake_write *made = malloc(sizeof *made + runs->len), **end = &socket->writes;
    PROMISE(made);
    *made = (struct fake_write){
        .request = request, .on_written = on_written, .left = runs->len, .len = runs->len};
    memcpy(made->data, runs->base, runs->len);
    request->handle = handle;
    socket->queued += runs->len;
    while (*end)
        end = &(*end)->next;
    *end = made;
    return 0;
}

size_t uv_stream_get_write_queue_size(const uv_stream_t *handle)
{
    const struct fake_socket *socket = of(handle);
    return socket ? socket->queued : 0;
}

int uv_shutdown(uv_shutdown_t *request, uv_stream_t *handle, uv_shutdown_cb on_shutdown)
{
    struct fake_socket *socket = open_socket(handle);
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
    socket->queued -= first->left;
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

static bool write_some(struct fake_socket *socket)
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
        socket->queued -= taken;
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

/* --- turns --- */

static bool turn(struct fake_socket *socket)
{
    if (!socket->handle || !fake_handle_is_open((uv_handle_t *)socket->handle))
        return false;
    if (socket->connect && socket->connect_status <= 0)
        return end_connect(socket, socket->connect_status);
    bool done = write_some(socket);
    if (socket->handle && fake_handle_is_open((uv_handle_t *)socket->handle))
        done = read_some(socket) || done;
    return done;
}

bool fake_net_turn(void)
{
    bool done = false;
    size_t count = fake.count;
    for (size_t i = 0; i < count; i++)
        done = turn(&fake.sockets[fake.net.last_first ? count - 1 - i : i]) || done;
    return done;
}

void fake_net_closing(uv_tcp_t *handle)
{
    struct fake_socket *socket = of(handle);
    if (handle == fake.listener)
        fake.listener = NULL;
    if (!socket)
        return;
    socket->reading = false;
    if (socket->connect)
        (void)end_connect(socket, UV_ECANCELED);
    while (socket->writes)
        end_write(socket, UV_ECANCELED);
    end_shutdown(socket, UV_ECANCELED);
    socket->handle = NULL;
    socket->dead = true;
}
