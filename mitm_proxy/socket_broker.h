/*
 * A process that makes transparent sockets (IP_TRANSPARENT), which may have others' addresses, for
 * a proxy that has given its privileges up.
 */
#ifndef MITM_PROXY_SOCKET_BROKER_H
#define MITM_PROXY_SOCKET_BROKER_H

#include <pthread.h>

#include "lib/sandbox.h"
#include "mitm_proxy/privileges.h"

struct socket_broker {
    int channel;          /* -1: none runs */
    pthread_mutex_t lock; /* an answer is to the last one who asked */
};

/*
 * Begins the process, as USER and in a sandbox; it keeps CAP_NET_RAW, or where that is not there
 * CAP_NET_ADMIN, and nothing else, and ends with the proxy. Before any thread is made, and before
 * anything is read that is not for it. 0, UV_EPERM: neither capability is there, UV_ENOTSUP: no
 * sandbox and it is required, or another UV_E*.
 */
int socket_broker_start(
    struct socket_broker *broker, const struct privileges_user *user, enum sandbox_wish sandbox);
void socket_broker_stop(struct socket_broker *broker);

/*
 * A TCP socket of the family (AF_INET, AF_INET6), not blocking: the descriptor, or UV_E*. From any
 * thread.
 */
int socket_broker_socket(struct socket_broker *broker, int family);

/* The same, made by the caller, who has the privilege. */
int transparent_socket(int family);

#endif
