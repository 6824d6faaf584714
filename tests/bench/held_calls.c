#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "held_load.h"
#include "held_wire.h"

#define AT_ONCE 64 /* calls under way where connections are only held */
#define EVENTS_AT_ONCE 256
#define LATENCIES_MAX 10000000
#define ANSWER_MAX 512

enum peer_state { PEER_CONNECTING, PEER_CALLING, PEER_IDLE, PEER_GONE };

struct peer {
    int fd;
    enum peer_state state;
    bool first;     /* its call had to connect */
    uint64_t since; /* when its call was due */
    size_t got;     /* bytes of the answer */
    char answer[ANSWER_MAX];
};

struct calls {
    int epoll;
    uint16_t port;
    bool any_head;  /* of an answer: only its status and its body are looked at */
    bool only_live; /* latencies are of calls that did not have to connect */
    struct peer *peers;
    size_t count, under_way, answered, failed;
    unsigned long long sent;
    size_t *idle, next_idle, n_idle; /* a ring of the indices of those that may call */
    uint32_t *latencies;             /* µs */
    size_t n_latencies;
};

static void calls_init(struct calls *calls, uint16_t port, size_t count, size_t calls_max)
{
    *calls = (struct calls){.epoll = epoll_create1(EPOLL_CLOEXEC), .port = port, .count = count};
    calls->peers = calloc(count, sizeof *calls->peers);
    calls->idle = calloc(count, sizeof *calls->idle);
    calls->latencies = calloc(calls_max, sizeof *calls->latencies);
    if (!calls->peers || !calls->idle || !calls->latencies || calls->epoll < 0)
        load_fail("no memory");
    for (size_t i = 0; i < count; i++)
        calls->peers[i].fd = -1;
}

static void calls_free(struct calls *calls)
{
    for (size_t i = 0; i < calls->count; i++)
        if (calls->peers[i].fd >= 0)
            close(calls->peers[i].fd);
    close(calls->epoll);
    free(calls->peers);
    free(calls->idle);
    free(calls->latencies);
}

static void fail_peer(struct calls *calls, struct peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
    if (peer->state != PEER_IDLE)
        calls->under_way--;
    peer->state = PEER_GONE;
    calls->failed++;
}

static void send_call(struct calls *calls, struct peer *peer)
{
    char call[512];
    int len = snprintf(call, sizeof call, HELD_CALL, calls->sent++);
    peer->state = PEER_CALLING;
    peer->got = 0;
    if (send(peer->fd, call, (size_t)len, 0) != len)
        fail_peer(calls, peer);
}

/* The peer makes a call that was due at DUE, connecting first where it is not yet. */
static void begin_call(struct calls *calls, size_t index, uint64_t due)
{
    struct peer *peer = &calls->peers[index];
    peer->since = due;
    calls->under_way++;
    peer->first = peer->fd < 0;
    if (!peer->first) {
        send_call(calls, peer);
        return;
    }
    peer->state = PEER_CONNECTING;
    peer->fd = load_connect(calls->epoll, calls->port, index);
}

/* 1: the answer is there; 0: not all of it; -1: it is another. */
static int judge_answer(const char *answer, size_t len)
{
    if (len >= sizeof HELD_ANSWER || memcmp(answer, HELD_ANSWER, len) != 0)
        return -1;
    return len == sizeof HELD_ANSWER - 1;
}

/* The same where a proxy has fields of its own; ANSWER ends with a zero. */
static int judge_body(const char *answer, size_t len)
{
    static const char status[] = "HTTP/1.1 200 ";
    const char *body = strstr(answer, "\r\n\r\n");
    if (!body)
        return len < ANSWER_MAX - 1 ? 0 : -1;
    body += 4;
    len -= (size_t)(body - answer);
    if (memcmp(answer, status, sizeof status - 1) != 0 || len >= sizeof HELD_RESULT ||
        memcmp(body, HELD_RESULT, len) != 0)
        return -1;
    return len == sizeof HELD_RESULT - 1;
}

static void add_idle(struct calls *calls, size_t index)
{
    calls->idle[(calls->next_idle + calls->n_idle++) % calls->count] = index;
}

static size_t take_idle(struct calls *calls)
{
    size_t index = calls->idle[calls->next_idle];
    calls->next_idle = (calls->next_idle + 1) % calls->count;
    calls->n_idle--;
    return index;
}

static void take_answer(struct calls *calls, struct peer *peer)
{
    ssize_t got = recv(peer->fd, peer->answer + peer->got, ANSWER_MAX - 1 - peer->got, 0);
    int judged;
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 || peer->state == PEER_IDLE) {
        fail_peer(calls, peer);
        return;
    }
    peer->got += (size_t)got;
    peer->answer[peer->got] = '\0';
    judged = (calls->any_head ? judge_body : judge_answer)(peer->answer, peer->got);
    if (judged < 0)
        fail_peer(calls, peer);
    if (judged <= 0)
        return;
    peer->state = PEER_IDLE;
    calls->under_way--;
    calls->answered++;
    add_idle(calls, (size_t)(peer - calls->peers));
    if (calls->n_latencies < LATENCIES_MAX && !(peer->first && calls->only_live))
        calls->latencies[calls->n_latencies++] = (uint32_t)((held_now_ns() - peer->since) / 1000);
}

/* Nanoseconds: calls are sent when they are due, and not up to a millisecond later. */
static void wait_for_events(struct calls *calls, uint64_t most)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    struct timespec timeout = {
        .tv_sec = (time_t)(most / 1000000000u), .tv_nsec = (long)(most % 1000000000u)};
    int n = epoll_pwait2(calls->epoll, events, EVENTS_AT_ONCE, &timeout, NULL);
    if (n == 0 && most == STALL_NS)
        load_fail("nothing happened for a minute");
    for (int i = 0; i < n; i++) {
        struct peer *peer = &calls->peers[events[i].data.u64];
        if (peer->state == PEER_CONNECTING && events[i].events & (EPOLLHUP | EPOLLERR))
            fail_peer(calls, peer);
        else if (peer->state == PEER_CONNECTING && events[i].events & EPOLLOUT)
            send_call(calls, peer);
        if (peer->fd >= 0 && peer->state != PEER_CONNECTING && events[i].events & EPOLLIN)
            take_answer(calls, peer);
    }
}

static void report(struct calls *calls, double seconds)
{
    size_t n = calls->n_latencies;
    printf("{\"answered\":%zu,\"failed\":%zu,\"seconds\":%.3f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"max_us\":%u}\n",
        calls->answered, calls->failed, seconds, load_quantile(calls->latencies, n, 500),
        load_quantile(calls->latencies, n, 990), load_quantile(calls->latencies, n, 1000));
    fflush(stdout);
}

/* A call on each connection, a few at once. */
static void call_all(struct calls *calls)
{
    uint64_t began = held_now_ns();
    calls->answered = calls->failed = calls->n_idle = calls->next_idle = calls->n_latencies = 0;
    for (size_t next = 0; next < calls->count || calls->under_way > 0;) {
        while (next < calls->count && calls->under_way < AT_ONCE)
            begin_call(calls, next++, held_now_ns());
        if (calls->under_way > 0)
            wait_for_events(calls, STALL_NS);
    }
    report(calls, (double)(held_now_ns() - began) / 1e9);
}

void calls_hold(uint16_t port, size_t count)
{
    struct calls calls;
    calls_init(&calls, port, count, count);
    do
        call_all(&calls);
    while (getchar() != EOF);
    calls_free(&calls);
}

void calls_pace(uint16_t port, size_t count, unsigned int rate, unsigned int seconds, bool any_head)
{
    struct calls calls;
    uint64_t began, now, every = rate ? 1000000000u / rate : 0, due;
    calls_init(&calls, port, count, LATENCIES_MAX);
    calls.any_head = any_head;
    calls.only_live = true;
    for (size_t i = 0; i < count; i++)
        add_idle(&calls, i);
    now = due = began = held_now_ns();
    for (uint64_t end = began + seconds * 1000000000ull; now < end || calls.under_way > 0;) {
        while (now < end && due <= now && calls.n_idle > 0) {
            begin_call(&calls, take_idle(&calls), rate ? due : now);
            due += every;
        }
        if (calls.failed == count)
            break;
        wait_for_events(&calls, calls.n_idle > 0 && now < end && due > now ? due - now : STALL_NS);
        now = held_now_ns();
    }
    report(&calls, (double)(now - began) / 1e9);
    calls_free(&calls);
}
