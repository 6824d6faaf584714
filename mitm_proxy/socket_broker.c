#include "mitm_proxy/socket_broker.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mitm_proxy/confinement.h"

#define CHANNEL 3 /* in the child, behind the standard ones */

int transparent_socket(int family)
{
    int one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int option = family == AF_INET6 ? IPV6_TRANSPARENT : IP_TRANSPARENT;
    if (setsockopt(fd, level, option, &one, sizeof one) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

/* An answer: what came of it, and with 0 the descriptor. */
static bool send_socket(int channel, int fd)
{
    int32_t status = fd < 0 ? fd : 0;
    union {
        char space[CMSG_SPACE(sizeof fd)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {&status, sizeof status};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)sizeof status;
}

static void serve(int channel)
{
    int32_t family;
    while (recv(channel, &family, sizeof family, 0) == (ssize_t)sizeof family) {
        bool known = family == AF_INET || family == AF_INET6;
        int fd = known ? transparent_socket(family) : -EAFNOSUPPORT;
        bool sent = send_socket(channel, fd);
        if (fd >= 0)
            close(fd);
        if (!sent)
            break;
    }
}

/* Either is enough; that of raw sockets is the smaller one. */
static uint32_t needed(void)
{
    uint32_t raw = privileges_of(1U << CAP_NET_RAW);
    return raw ? raw : privileges_of(1U << CAP_NET_ADMIN);
}

/* 0 or UV_E*. */
static int reduce(pid_t parent, const struct privileges_user *user, enum sandbox_wish sandbox)
{
    uint32_t keep = needed();
    if (!keep)
        return -EPERM;
    int err = privileges_give_up(user, keep);
    if (err)
        return err;
    /* After the change of user, which clears it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return -errno;
    return getppid() == parent ? confine_broker(sandbox) : -ESRCH;
}

/* The child: deaf to what ends the proxy, and gone with it. What else is open is not for it. */
static void run(
    int channel, pid_t parent, const struct privileges_user *user, enum sandbox_wish sandbox)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (dup2(channel, CHANNEL) != CHANNEL || syscall(SYS_close_range, CHANNEL + 1, ~0U, 0) != 0)
        _exit(1);
    int32_t status = reduce(parent, user, sandbox);
    if (send(CHANNEL, &status, sizeof status, MSG_NOSIGNAL) > 0 && !status)
        serve(CHANNEL);
    _exit(0);
}

int socket_broker_start(
    struct socket_broker *broker, const struct privileges_user *user, enum sandbox_wish sandbox)
{
    int ends[2];
    int32_t status = -EPIPE;
    pid_t parent = getpid();
    broker->channel = -1;
    pthread_mutex_init(&broker->lock, NULL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        run(ends[1], parent, user, sandbox);
    if (pid < 0)
        status = -errno;
    close(ends[1]);
    if (pid > 0 && recv(ends[0], &status, sizeof status, 0) != (ssize_t)sizeof status)
        status = -EPIPE;
    if (status)
        close(ends[0]);
    else
        broker->channel = ends[0];
    return status;
}

void socket_broker_stop(struct socket_broker *broker)
{
    if (broker->channel >= 0)
        close(broker->channel);
    broker->channel = -1;
}

/* The descriptor, or UV_E*. */
static int ask(int channel, int family)
{
    int32_t status = family;
    int fd = -1;
    union {
        char space[CMSG_SPACE(sizeof fd)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {&status, sizeof status};
    struct msghdr message = {.msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof control.space};
    if (send(channel, &status, sizeof status, MSG_NOSIGNAL) != (ssize_t)sizeof status ||
        recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof status)
        return -EPIPE;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (status < 0 || !header || header->cmsg_type != SCM_RIGHTS)
        return status < 0 ? status : -EPIPE;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

int socket_broker_socket(struct socket_broker *broker, int family)
{
    pthread_mutex_lock(&broker->lock);
    int fd = ask(broker->channel, family);
    pthread_mutex_unlock(&broker->lock);
    return fd;
}
