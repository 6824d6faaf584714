#include "held_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define SOURCES 8 /* addresses, from 127.0.0.2 on */

void load_fail(const char *what)
{
    fprintf(stderr, "held_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

int load_connect(int epoll, uint16_t port, size_t index)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = index};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(index % SOURCES))};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        load_fail("no socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) ||
        (connect(fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        load_fail("no connection");
    return fd;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t load_quantile(uint32_t *values, size_t count, unsigned int per_mille)
{
    size_t at = count * per_mille / 1000;
    if (count == 0)
        return 0;
    qsort(values, count, sizeof *values, compare);
    return values[at < count ? at : count - 1];
}

static unsigned int number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || end == text || value > 100000000) {
        fprintf(stderr, "held_load: '%s' is no number\n", text);
        exit(2);
    }
    return (unsigned int)value;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    unsigned int n[5] = {0};
    for (int i = 2; i < argc && i < 7; i++)
        n[i - 2] = number(argv[i]);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)prctl(PR_SET_TIMERSLACK, 1ul); /* ns: a call goes when it is due */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (argc == 4 && strcmp(argv[1], "hold") == 0) {
        calls_hold((uint16_t)n[0], n[1]);
    } else if (argc == 6 && strcmp(argv[1], "pace") == 0) {
        calls_pace((uint16_t)n[0], n[1], n[2], n[3], false);
    } else if (argc == 6 && strcmp(argv[1], "pace-any") == 0) {
        calls_pace((uint16_t)n[0], n[1], n[2], n[3], true);
    } else if (argc == 7 && strcmp(argv[1], "events") == 0) {
        events_watch((uint16_t)n[0], n[1], (uint16_t)n[2], n[3], n[4]);
    } else {
        fputs("usage: held_load hold PORT COUNT | pace PORT COUNT RATE SECONDS |\n"
              "       pace-any PORT COUNT RATE SECONDS |\n"
              "       events PORT COUNT DIRECT_PORT DIRECT SECONDS\n",
            stderr);
        return 2;
    }
    return 0;
}
