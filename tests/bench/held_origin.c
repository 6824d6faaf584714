/*
 * The origin of tests/bench/held: answers calls, and sends each stream of events one in a second,
 * with the time at which it went. Streams are spread over the second. Ends with its standard input.
 */
#include <errno.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "held_wire.h"

#define PEERS_MAX 20000 /* descriptors, which are their numbers */
#define EVENTS_AT_ONCE 256
#define TEXT_MAX 256

struct peer {
    size_t tail;    /* bytes of the last request that have come */
    bool streams;   /* it gets events … */
    unsigned int n; /* … and has had so many */
    int next;       /* with events in the same millisecond, or -1 */
};

static struct peer peers[PEERS_MAX];
static int slots[HELD_EVENT_EVERY_MS]; /* the first in each millisecond of a second, or -1 */
static unsigned int streams;
static size_t call_len;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void send_all(int fd, const char *text, size_t len)
{
    if (send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len && errno != EPIPE &&
        errno != ECONNRESET)
        fputs("held_origin: a peer does not take what it is sent\n", stderr);
}

static void begin_stream(int fd)
{
    /* 619 and 1000 have no factor in common: neighbours are far apart, and each slot has its turn.
     */
    int *slot = &slots[streams++ * 619u % HELD_EVENT_EVERY_MS];
    peers[fd].streams = true;
    peers[fd].n = 0;
    peers[fd].next = *slot;
    *slot = fd;
    send_all(fd, HELD_STREAM, sizeof HELD_STREAM - 1);
}

static void end_peer(int fd)
{
    for (int slot = 0; peers[fd].streams && slot < HELD_EVENT_EVERY_MS; slot++)
        for (int *at = &slots[slot]; *at >= 0; at = &peers[*at].next)
            if (*at == fd) {
                *at = peers[fd].next;
                break;
            }
    peers[fd] = (struct peer){.next = -1};
    close(fd);
}

/* Calls are all of one length; what asks for events comes at once. */
static void on_request(int fd)
{
    char text[1 << 16];
    ssize_t got = recv(fd, text, sizeof text, 0);
    struct peer *peer = &peers[fd];
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        end_peer(fd);
    } else if (peer->tail == 0 && got >= 4 && memcmp(text, "GET ", 4) == 0) {
        begin_stream(fd);
    } else {
        for (peer->tail += (size_t)got; peer->tail >= call_len; peer->tail -= call_len)
            send_all(fd, HELD_ANSWER, sizeof HELD_ANSWER - 1);
    }
}

static void on_connection(int epoll, int listening)
{
    int one = 1, fd;
    while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (fd >= PEERS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
            fail("held_origin: too many connections");
    }
}

static void send_events(int slot)
{
    for (int fd = slots[slot]; fd >= 0; fd = peers[fd].next) {
        char event[TEXT_MAX], chunk[TEXT_MAX + 32];
        int len = snprintf(
            event, sizeof event, HELD_EVENT, ++peers[fd].n, (unsigned long long)held_now_ns());
        len = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n", (unsigned int)len, event);
        send_all(fd, chunk, (size_t)len);
    }
}

static int listen_somewhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        fail("held_origin: no port");
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Returns at the end of the standard input. */
static void serve(int epoll, int listening)
{
    uint64_t done = held_now_ns() / 1000000;
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int n = epoll_wait(epoll, events, EVENTS_AT_ONCE, streams ? 1 : 1000);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == STDIN_FILENO)
                return;
            if (events[i].data.fd == listening)
                on_connection(epoll, listening);
            else
                on_request(events[i].data.fd);
        }
        for (uint64_t now = held_now_ns() / 1000000; done < now; done++)
            if (streams)
                send_events((int)(done % HELD_EVENT_EVERY_MS));
    }
}

int main(void)
{
    struct rlimit limit;
    int epoll = epoll_create1(EPOLL_CLOEXEC), listening;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    call_len = (size_t)snprintf(NULL, 0, HELD_CALL, 0ULL);
    for (int i = 0; i < HELD_EVENT_EVERY_MS; i++)
        slots[i] = -1;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event))
        fail("held_origin: the standard input must be a pipe");
    listening = listen_somewhere();
    event.data.fd = listening;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &event))
        fail("held_origin");
    serve(epoll, listening);
    return 0;
}
