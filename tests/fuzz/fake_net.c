#include "tests/fuzz/fake_net.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/fake_net_private.h"
#include "tests/fuzz/fuzz.h"

#define SENT_MAX (64UL << 20) /* bytes of one direction of a socket */
#define FIRST_PORT 20000
#define PIECES_MAX 512 /* bytes waiting, from which on they come at once */

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

struct fake_socket *fake_socket_of(const void *handle)
{
    for (size_t i = fake.count; i > 0; i--)
        if (fake.sockets[i - 1].handle == handle)
            return &fake.sockets[i - 1];
    return NULL;
}

struct fake_socket *fake_socket_open(const void *handle)
{
    struct fake_socket *socket = fake_socket_of(handle);
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
    PROMISE(fake_handle_is_open((uv_handle_t *)handle) && enable); /* a listener's, too */
    return 0;
}

int uv_tcp_keepalive(uv_tcp_t *handle, int enable, unsigned int delay)
{
    PROMISE(fake_handle_is_open((uv_handle_t *)handle) && enable && delay > 0);
    return 0;
}

int uv_fileno(const uv_handle_t *handle, uv_os_fd_t *fd)
{
    static int listening = -1; /* only a listener has one, of which it keeps a copy */
    if (listening < 0)
        listening = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *fd = handle == (const uv_handle_t *)fake.listener ? listening : -1;
    return *fd < 0 ? UV_EBADF : 0;
}

int uv_tcp_getsockname(const uv_tcp_t *handle, struct sockaddr *name, int *len)
{
    const struct fake_socket *socket = fake_socket_of(handle);
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
    const struct fake_socket *socket = fake_socket_of(handle);
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
    PROMISE(fake_handle_is_open((uv_handle_t *)handle) && !fake_socket_of(handle));
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
    struct fake_socket *socket = fake_socket_open(handle);
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
    struct fake_socket *socket = fake_socket_of(handle);
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

/* --- turns --- */

static bool turn(struct fake_socket *socket)
{
    if (!socket->handle || !fake_handle_is_open((uv_handle_t *)socket->handle))
        return false;
    if (socket->connect && socket->connect_status <= 0)
        return end_connect(socket, socket->connect_status);
    bool done = fake_socket_write(socket);
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
    struct fake_socket *socket = fake_socket_of(handle);
    if (handle == fake.listener)
        fake.listener = NULL;
    if (!socket)
        return;
    socket->reading = false;
    if (socket->connect)
        (void)end_connect(socket, UV_ECANCELED);
    fake_socket_abandon(socket);
    socket->handle = NULL;
    socket->dead = true;
}
