/*
 * A process that makes transparent sockets (IP_TRANSPARENT), which may have others' addresses, for
 * a proxy that has given its privileges up.
 */
#ifndef MITM_PROXY_SOCKET_BROKER_H
#define MITM_PROXY_SOCKET_BROKER_H

struct socket_broker {
    int channel; /* -1: none runs */
};

/*
 * Begins the process, which keeps CAP_NET_RAW or CAP_NET_ADMIN, whichever is there, and nothing
 * else; it ends with the proxy. Before any thread is made. 0 or UV_E*.
 */
int socket_broker_start(struct socket_broker *broker);
void socket_broker_stop(struct socket_broker *broker);

/* A TCP socket of the family (AF_INET, AF_INET6), not blocking: the descriptor, or UV_E*. */
int socket_broker_socket(const struct socket_broker *broker, int family);

/* The same, made by the caller, who has the privilege. */
int transparent_socket(int family);

#endif
