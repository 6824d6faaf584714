/*
 * A listening TCP socket: resolves HOST:PORT, binds, and offers each connection.
 *
 * TCP_NODELAY and keep-alive are set once, on the listening socket: Linux passes them on to each
 * connection (tcp(7)).
 *
 * When descriptors run out, connections are accepted and closed, so the loop does not spin.
 */
#ifndef LIB_LISTENER_H
#define LIB_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include "lib/hostport.h"

/* A peer that vanished is found by the kernel's probes after this silence. */
#define LISTENER_KEEPALIVE_SECONDS 60

struct listener {
    uv_tcp_t tcp;
    void (*on_connection)(struct listener *listener, int status);
    void (*on_closed)(struct listener *listener);
    void *data; /* the owner's */
    bool open;
    uv_tcp_t refused;   /* a connection being turned away … */
    bool refusing;      /* … while its handle is closing */
    bool refuse_again;  /* another one waits for that */
    int spare;          /* a descriptor for when there is no other; -1: none */
    uv_timer_t timer;   /* runs while the spare one is to be set aside again */
    int handles_closed; /* of tcp and timer: their close callbacks have run */
};

/*
 * Binds and listens. on_connection takes each one with stream_accept(…, (uv_stream_t *)
 * &listener->tcp). 0, or UV_E* or UV_EAI_* with nothing left open. Call before the loop runs:
 * a host name is resolved synchronously.
 */
int listener_open(struct listener *listener, uv_loop_t *loop, const struct hostport *where,
    void (*on_connection)(struct listener *listener, int status), void *data);

/*
 * The same with a socket that the caller has made, of the family of WHERE's address, and that is
 * the listener's then, also on error.
 */
int listener_open_socket(struct listener *listener, uv_loop_t *loop, int fd,
    const struct hostport *where, void (*on_connection)(struct listener *listener, int status),
    void *data);

/* Where it really listens: the port the kernel chose for port 0. */
int listener_address(const struct listener *listener, struct sockaddr_storage *address);

/*
 * Takes the pending connection and closes it. For an owner without memory to accept it: one that
 * is never taken would keep libuv from offering the next.
 */
void listener_refuse(struct listener *listener);

/* Idempotent; on_closed, if set, follows. */
void listener_close(struct listener *listener);

#endif
