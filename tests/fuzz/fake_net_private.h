/*
 * What fake_net.c (sockets, connecting, reading) and fake_write.c share.
 */
#ifndef TESTS_FAKE_NET_PRIVATE_H
#define TESTS_FAKE_NET_PRIVATE_H

#include "tests/fuzz/fake_net.h"

/* The socket of a handle, or NULL; of one that must not be closing. */
struct fake_socket *fake_socket_of(const void *handle);
struct fake_socket *fake_socket_open(const void *handle);

/* Takes what there is room for. True: something was done. */
bool fake_socket_write(struct fake_socket *socket);
/* The socket closes: what waits is told so. */
void fake_socket_abandon(struct fake_socket *socket);

#endif
