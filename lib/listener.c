#include "lib/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTEN_BACKLOG 1024
#define SPARE_AGAIN_MS 10

/* Literal addresses need no resolver; a name is resolved here, before the loop runs. */
static int resolve(uv_loop_t *loop, const struct hostport *where, struct sockaddr_storage *address)
{
    if (hostport_literal(where, address) == 0)
        return 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t request;
    int err = uv_getaddrinfo(loop, &request, NULL, where->host, NULL, &hints);
    if (err)
        return err;
    memcpy(address, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons(where->port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons(where->port);
    return 0;
}

static void tell_if_closed(struct listener *listener)
{
    if (listener->handles_closed == 2 && !listener->refusing && listener->on_closed)
        listener->on_closed(listener);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    listener->handles_closed++;
    tell_if_closed(listener);
}

static void on_refused_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    bool again = listener->refuse_again && listener->open;
    listener->refusing = false;
    listener->refuse_again = false;
    if (again)
        listener_refuse(listener);
    else
        tell_if_closed(listener);
}

void listener_refuse(struct listener *listener)
{
    if (listener->refusing) {
        listener->refuse_again = true;
        return;
    }
    if (uv_tcp_init(listener->tcp.loop, &listener->refused) != 0)
        return;
    listener->refused.data = listener;
    listener->refusing = true;
    (void)uv_accept((uv_stream_t *)&listener->tcp, (uv_stream_t *)&listener->refused);
    uv_close((uv_handle_t *)&listener->refused, on_refused_closed);
}

static void give_back_spare(struct listener *listener)
{
    if (listener->spare >= 0)
        close(listener->spare);
    listener->spare = -1;
}

/* Sets a descriptor aside, for which no path has to be opened; tries again until there is one. */
static void set_spare_aside(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&listener->tcp, &fd) == 0)
        listener->spare = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (listener->spare < 0)
        uv_timer_start(timer, set_spare_aside, SPARE_AGAIN_MS, 0);
}

/*
 * No descriptor is free, and libuv's own way out may be shut (it opens "/"). What is pending is
 * taken with the spare one, and closed. libuv then asks once more, and must find a free descriptor
 * and nobody there, or it would ask for ever: the spare is set aside again when it has.
 */
static void turn_all_away(struct listener *listener)
{
    uv_os_fd_t fd;
    int pending = -1;
    give_back_spare(listener);
    if (uv_fileno((const uv_handle_t *)&listener->tcp, &fd) == 0)
        pending = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    while (pending >= 0) {
        close(pending);
        pending = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    }
    uv_timer_start(&listener->timer, set_spare_aside, 0, 0);
}

static void on_connection(uv_stream_t *handle, int status)
{
    struct listener *listener = handle->data;
    if (status == UV_EMFILE || status == UV_ENFILE)
        turn_all_away(listener);
    if (status == 0 && uv_is_active((uv_handle_t *)&listener->timer))
        listener_refuse(listener); /* it has what was the spare one */
    else
        listener->on_connection(listener, status);
}

int listener_open_socket(struct listener *listener, uv_loop_t *loop, int fd,
    const struct hostport *where, void (*on_connect)(struct listener *listener, int status),
    void *data)
{
    struct sockaddr_storage address;
    memset(listener, 0, sizeof *listener);
    listener->spare = -1;
    listener->on_connection = on_connect;
    listener->data = data;
    int err = resolve(loop, where, &address);
    if (!err)
        err = uv_tcp_init(loop, &listener->tcp);
    if (err) {
        if (fd >= 0)
            close(fd);
        return err;
    }
    listener->tcp.data = listener;
    uv_timer_init(loop, &listener->timer);
    listener->timer.data = listener;
    if (fd >= 0)
        err = uv_tcp_open(&listener->tcp, fd);
    if (err)
        close(fd);
    if (!err)
        err = uv_tcp_bind(&listener->tcp, (struct sockaddr *)&address, 0);
    if (!err)
        err = uv_tcp_nodelay(&listener->tcp, 1);
    if (!err)
        err = uv_tcp_keepalive(&listener->tcp, 1, LISTENER_KEEPALIVE_SECONDS);
    if (!err)
        err = uv_listen((uv_stream_t *)&listener->tcp, LISTEN_BACKLOG, on_connection);
    if (err) {
        uv_close((uv_handle_t *)&listener->tcp, NULL);
        uv_close((uv_handle_t *)&listener->timer, NULL);
        uv_run(loop, UV_RUN_NOWAIT); /* the handle is gone before the caller's memory may be */
        return err;
    }
    set_spare_aside(&listener->timer);
    listener->open = true;
    return 0;
}

int listener_open(struct listener *listener, uv_loop_t *loop, const struct hostport *where,
    void (*on_connect)(struct listener *listener, int status), void *data)
{
    return listener_open_socket(listener, loop, -1, where, on_connect, data);
}

int listener_address(const struct listener *listener, struct sockaddr_storage *address)
{
    int len = sizeof *address;
    return uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)address, &len);
}

void listener_close(struct listener *listener)
{
    if (!listener->open)
        return;
    listener->open = false;
    give_back_spare(listener);
    uv_close((uv_handle_t *)&listener->timer, on_handle_closed);
    uv_close((uv_handle_t *)&listener->tcp, on_handle_closed);
}
