#include "lib/dial.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dial {
    uv_getaddrinfo_t request;
    struct sockaddr_storage literal;
    struct sockaddr_storage to; /* of the last attempt */
    struct addrinfo *found;     /* the resolver's list, NULL for a literal */
    struct addrinfo *next;      /* the address to try next */
    struct stream *stream;
    const struct stream_events *events; /* the owner's, for when it is over */
    void *data;
    dial_cb on_done;
    void *arg;
    uint16_t port;
    struct dial_from from; /* without a function: our own address */
    int status;            /* of the last attempt */
    bool cancelled;
};

static void dial_free(struct dial *dial)
{
    uv_freeaddrinfo(dial->found);
    free(dial);
}

static void dial_finish(struct dial *dial, int status)
{
    dial_cb on_done = dial->on_done;
    void *arg = dial->arg;
    dial->stream->events = dial->events;
    dial->stream->data = dial->data;
    on_done(arg, status);
    dial_free(dial);
}

static void on_connect(struct stream *stream, int status)
{
    struct dial *dial = stream->data;
    if (status == 0) {
        dial_finish(dial, 0);
        return;
    }
    dial->status = status;
    stream_close(stream); /* a socket that failed to connect is of no further use */
}

static int try_address(struct dial *dial, const struct sockaddr *address);

static void on_attempt_closed(struct stream *stream)
{
    struct dial *dial = stream->data;
    while (dial->next) {
        struct addrinfo *next = dial->next;
        dial->next = next->ai_next;
        if (try_address(dial, next->ai_addr) == 0 || stream->live)
            return;
    }
    dial_finish(dial, dial->status);
}

static const struct stream_events attempt_events = {
    .on_connect = on_connect,
    .on_closed = on_attempt_closed,
};

/* With the port too, unless that is taken. */
static int bind_as(struct dial *dial)
{
    struct sockaddr_storage *from = &dial->from.address;
    socklen_t len =
        from->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = dial->from.socket(dial->from.arg, from->ss_family);
    if (fd < 0)
        return fd;
    int err = bind(fd, (struct sockaddr *)from, len) ? -errno : 0;
    if (err == UV_EADDRINUSE) {
        if (from->ss_family == AF_INET6)
            ((struct sockaddr_in6 *)from)->sin6_port = 0;
        else
            ((struct sockaddr_in *)from)->sin_port = 0;
        err = bind(fd, (struct sockaddr *)from, len) ? -errno : 0;
    }
    if (!err)
        err = uv_tcp_open(&dial->stream->tcp, fd);
    if (err)
        close(fd);
    return err;
}

/* On an error after the handle was made, the stream is live and on_attempt_closed goes on. */
static int try_address(struct dial *dial, const struct sockaddr *address)
{
    struct sockaddr_storage *to = &dial->to;
    bool v6 = address->sa_family == AF_INET6;
    memset(to, 0, sizeof *to);
    memcpy(to, address, v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    if (v6)
        ((struct sockaddr_in6 *)to)->sin6_port = htons(dial->port);
    else
        ((struct sockaddr_in *)to)->sin_port = htons(dial->port);
    int err = stream_init(dial->stream, dial->request.loop, &attempt_events, dial);
    if (!err && dial->from.socket)
        err = bind_as(dial);
    if (!err)
        err = stream_connect(dial->stream, (struct sockaddr *)to);
    if (err) {
        dial->status = err;
        stream_close(dial->stream);
    }
    return err;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct dial *dial = request->data;
    dial->found = found;
    if (dial->cancelled) {
        dial_free(dial);
        return;
    }
    dial->status = status ? status : UV_EAI_NODATA;
    dial->next = found;
    on_attempt_closed(dial->stream); /* from the first address on */
}

static int dial_resolve(struct dial *dial, uv_loop_t *loop, const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    return uv_getaddrinfo(loop, &dial->request, on_resolved, host, NULL, &hints);
}

struct dial *dial_start(uv_loop_t *loop, const struct hostport *origin, struct stream *stream,
    const struct stream_events *events, void *data, dial_cb on_done, void *arg, int *err)
{
    return dial_start_from(loop, origin, stream, events, data, on_done, arg, NULL, err);
}

struct dial *dial_start_from(uv_loop_t *loop, const struct hostport *origin, struct stream *stream,
    const struct stream_events *events, void *data, dial_cb on_done, void *arg,
    const struct dial_from *from, int *err)
{
    struct dial *dial = calloc(1, sizeof *dial);
    *err = UV_ENOMEM;
    if (!dial)
        return NULL;
    dial->stream = stream;
    dial->events = events;
    dial->data = data;
    dial->on_done = on_done;
    dial->arg = arg;
    dial->port = origin->port;
    if (from)
        dial->from = *from;
    dial->request.loop = loop;
    dial->request.data = dial;
    stream->data = dial;
    if (hostport_literal(origin, &dial->literal) == 0)
        *err = try_address(dial, (struct sockaddr *)&dial->literal);
    else
        *err = dial_resolve(dial, loop, origin->host);
    if (*err == 0 || stream->live) {
        *err = 0; /* a failed first attempt is told through on_done, once it has closed */
        return dial;
    }
    dial_free(dial);
    return NULL;
}

void dial_cancel(struct dial *dial)
{
    dial->cancelled = true;
    dial->stream->events = dial->events;
    dial->stream->data = dial->data;
    if (dial->stream->live)
        dial_free(dial);
    else
        uv_cancel((uv_req_t *)&dial->request); /* on_resolved frees, cancelled or too late */
}

/* To the unspecified one the kernel connects as to the loopback's. */
int dial_peer(const struct dial *dial, struct sockaddr_storage *address)
{
    if (sockaddr_is_any((const struct sockaddr *)&dial->to))
        return stream_peer_address(dial->stream, address);
    *address = dial->to;
    return 0;
}
