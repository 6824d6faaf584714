#include "mitm_proxy/proxy.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop_room.h"
#include "lib/sha256.h"
#include "mitm_proxy/exchange.h"
#include "mitm_proxy/replay.h"
#include "mitm_proxy/session.h"

#define FLUSH_MS 10          /* that observers may gather */
#define OTHER_DESCRIPTORS 64 /* files, listeners, the admin port's connections */

static void on_connection(struct listener *listener, int status)
{
    struct proxy *proxy = listener->data;
    int err = status ? status : session_accept(proxy);
    bool told = proxy->accept_fails;
    proxy->accept_fails = err != 0;
    if (err == UV_ENOMEM)
        listener_refuse(listener);
    if (err && !told)
        log_error("connections are not accepted: %s", uv_strerror(err));
    else if (!err && told)
        log_info("connections are accepted again");
}

static void before_sending(void *arg)
{
    struct proxy *proxy = arg;
    observers_commit(&proxy->observers);
}

static void on_flush(uv_timer_t *timer)
{
    struct proxy *proxy = timer->data;
    observers_flush(&proxy->observers);
}

/* Before any timer: what has come in time is not late. */
static void on_sockets_read(uv_check_t *handle)
{
    struct proxy *proxy = handle->data;
    inbox_deliver(&proxy->inbox);
}

/* Before the loop waits, what was kept is told and sent; what observers have gathered is written
 * soon. */
static void on_prepare(uv_prepare_t *handle)
{
    struct proxy *proxy = handle->data;
    do {
        inbox_deliver(&proxy->inbox);
        outbox_end_turn(&proxy->outbox);
    } while (proxy->inbox.resumed);
    if (proxy->observers.gathering && !uv_is_active((uv_handle_t *)&proxy->flush_timer))
        uv_timer_start(&proxy->flush_timer, on_flush, FLUSH_MS, 0);
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)address)->sin6_port
                                          : ((const struct sockaddr_in *)address)->sin_port;
}

uint16_t proxy_port(const struct proxy *proxy)
{
    return ntohs(port_of(&proxy->listen_address));
}

static int share_port(int fd)
{
    int one = 1;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0 ? 0 : -errno;
}

static int plain_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

static int open_listener(struct proxy *proxy)
{
    const struct hostport *where = &proxy->config->listen;
    int fd = -1;
    if (proxy->config->tproxy) {
        fd = transparent_socket(strchr(where->host, ':') ? AF_INET6 : AF_INET);
        if (fd < 0)
            return fd;
    }
    return listener_open_socket(&proxy->listener, proxy->loop, fd, where, on_connection, proxy);
}

/* The first one had the port to itself, so that it is nobody else's; only now it is shared. */
static int open_listener_beside(struct proxy *proxy, const struct proxy *first)
{
    struct hostport where = proxy->config->listen;
    int family = first->listen_address.ss_family;
    uv_os_fd_t firsts;
    int err = uv_fileno((const uv_handle_t *)&first->listener.tcp, &firsts);
    if (!err)
        err = share_port(firsts);
    if (err)
        return err;
    where.port = proxy_port(first);
    int fd = proxy->config->tproxy ? transparent_socket(family) : plain_socket(family);
    err = fd < 0 ? fd : share_port(fd);
    if (!err)
        return listener_open_socket(
            &proxy->listener, proxy->loop, fd, &where, on_connection, proxy);
    if (fd >= 0)
        close(fd);
    return err;
}

/* What libraries do at their first use only is done before there is a call: it takes memory that
 * may lack later. */
static int warm_up(const struct proxy *proxy)
{
    size_t descriptors = 2 * proxy->config->connections_max + OTHER_DESCRIPTORS;
    struct sha256 *sha = sha256_new();
    if (!sha)
        return UV_ENOMEM;
    sha256_free(sha);
    (void)loop_room(proxy->loop, descriptors); /* else it comes later */
    return 0;
}

/* FIRST: with whom it shares the port, or NULL. */
static int start(struct proxy *proxy, uv_loop_t *loop, const struct proxy_config *config,
    const struct proxy *first)
{
    proxy->loop = loop;
    proxy->config = config;
    proxy->exchanges.size = sizeof(struct exchange);
    proxy->heads.variety = HTTP_HEADS_VARIETY;
    proxy->upstream.origin = config->upstream.origin;
    proxy->upstream.tls = config->upstream.tls;
    snprintf(proxy->upstream.authority, sizeof proxy->upstream.authority, "%s",
        config->upstream.authority);
    int err = warm_up(proxy);
    if (!err)
        err = inbox_init(&proxy->inbox);
    if (!err)
        err = first ? open_listener_beside(proxy, first) : open_listener(proxy);
    if (err) {
        inbox_deinit(&proxy->inbox);
        return err;
    }
    outbox_init(&proxy->outbox, before_sending, proxy);
    (void)listener_address(&proxy->listener, &proxy->listen_address);
    uv_check_init(loop, &proxy->sockets_read);
    uv_prepare_init(loop, &proxy->turn_end);
    uv_timer_init(loop, &proxy->flush_timer);
    uv_timer_init(loop, &proxy->drain_timer);
    proxy->sockets_read.data = proxy;
    proxy->turn_end.data = proxy;
    proxy->flush_timer.data = proxy;
    proxy->drain_timer.data = proxy;
    uv_check_start(&proxy->sockets_read, on_sockets_read);
    return uv_prepare_start(&proxy->turn_end, on_prepare);
}

int proxy_start(struct proxy *proxy, uv_loop_t *loop, const struct proxy_config *config)
{
    return start(proxy, loop, config, NULL);
}

int proxy_start_beside(struct proxy *proxy, uv_loop_t *loop, const struct proxy *first)
{
    proxy->shared = first->shared;
    return start(proxy, loop, first->config, first);
}

static void on_last_handle(uv_handle_t *handle)
{
    struct proxy *proxy = handle->data;
    observers_flush(&proxy->observers);
    inbox_deinit(&proxy->inbox);
    outbox_deinit(&proxy->outbox);
    rules_free(proxy->rules);
    proxy->rules = NULL;
    saved_deinit(&proxy->saved);
    spares_deinit(&proxy->exchanges);
    http_heads_deinit(&proxy->heads);
    proxy->on_drained(proxy->arg);
}

static void end_if_drained(struct proxy *proxy)
{
    if (!proxy->draining || proxy->open_connections > 0 ||
        uv_is_closing((uv_handle_t *)&proxy->turn_end))
        return;
    uv_close((uv_handle_t *)&proxy->drain_timer, NULL);
    uv_close((uv_handle_t *)&proxy->flush_timer, NULL);
    uv_close((uv_handle_t *)&proxy->sockets_read, NULL);
    uv_close((uv_handle_t *)&proxy->turn_end, on_last_handle);
}

void proxy_session_gone(struct proxy *proxy)
{
    proxy->open_connections--;
    end_if_drained(proxy);
}

/* Sessions leave the list only when their handles have closed, so that it holds still here. */
static void for_each_session(struct proxy *proxy, void (*act)(struct session *session))
{
    for (struct session *session = proxy->sessions, *next; session; session = next) {
        next = session_next(session);
        act(session);
    }
}

static void for_each_replay(struct proxy *proxy, void (*act)(struct replay *replay))
{
    for (struct replay *replay = proxy->replays, *next; replay; replay = next) {
        next = replay_next(replay);
        act(replay);
    }
}

static void on_deadline(uv_timer_t *timer)
{
    struct proxy *proxy = timer->data;
    log_error("connections that were still open after the drain time and were cut: %zu",
        proxy->open_connections);
    for_each_session(proxy, session_abort);
    for_each_replay(proxy, replay_abort);
}

void proxy_drain(struct proxy *proxy, void (*on_drained)(void *arg), void *arg)
{
    if (proxy->draining)
        return;
    proxy->draining = true;
    proxy->on_drained = on_drained;
    proxy->arg = arg;
    listener_close(&proxy->listener);
    uv_timer_start(&proxy->drain_timer, on_deadline, proxy->config->drain_timeout, 0);
    for_each_session(proxy, session_drain);
    for_each_replay(proxy, replay_drain);
    end_if_drained(proxy);
}

/* The address without its port; an IPv4-mapped IPv6 address is its IPv4 one. */
static void host_text(const void *address, char *out, size_t size)
{
    sockaddr_text(address, out, size);
    char *colon = strrchr(out, ':');
    if (colon)
        *colon = '\0';
}

/*
 * Whether ADDRESS, in text HOST, is this machine's: the kernel then takes the same one as the
 * source of what goes there, but for all of 127.0.0.0/8, which has 127.0.0.1.
 */
static bool is_own(const struct sockaddr_storage *address, const char *host)
{
    char own[HOSTPORT_TEXT_MAX] = "";
    struct sockaddr_storage source;
    socklen_t len = sizeof source;
    if (strncmp(host, "127.", 4) == 0)
        return true;
    int fd = socket(address->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* nothing is sent */
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        getsockname(fd, (struct sockaddr *)&source, &len) == 0)
        host_text(&source, own, sizeof own);
    close(fd);
    return strcmp(host, own) == 0;
}

static bool leads_to(
    const struct sockaddr_storage *listener, const struct sockaddr_storage *address)
{
    char listens[HOSTPORT_TEXT_MAX], host[HOSTPORT_TEXT_MAX];
    if (listener->ss_family == AF_UNSPEC || port_of(address) != port_of(listener))
        return false;
    host_text(listener, listens, sizeof listens);
    host_text(address, host, sizeof host);
    bool any = strcmp(listens, "0.0.0.0") == 0 || strcmp(listens, "[::]") == 0;
    return strcmp(host, listens) == 0 || (any && is_own(address, host));
}

bool proxy_is_self(const struct proxy *proxy, const struct sockaddr_storage *address)
{
    return leads_to(&proxy->listen_address, address) || leads_to(&proxy->admin_address, address);
}
