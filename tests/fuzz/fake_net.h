/*
 * libuv's TCP handles without a kernel. The test has the other end of each: what it sends waits
 * until the program reads, what the program writes is kept, and all that a network does to a
 * connection is done when the test says so. What is not allowed ends the program: to write behind a
 * FIN, to use a handle that is closing.
 */
#ifndef TESTS_FAKE_NET_H
#define TESTS_FAKE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <uv.h>

#include "lib/buf.h"

#define FAKE_SOCKETS_MAX 64 /* connections of one run */

struct fake_write;

struct fake_socket {
    uv_tcp_t *handle;               /* NULL: not accepted yet, or closed */
    bool accepted;                  /* by a listener; else the program has connected it */
    bool dead;                      /* closed: what is kept is for the test to look at */
    struct sockaddr_in local, peer; /* the program's and the test's */
    /* towards the program */
    struct buf in;    /* all that was sent … */
    size_t in_read;   /* … and how much of it was read */
    bool in_fin;      /* the test's FIN follows */
    int in_error;     /* or this does, instead */
    bool in_end_told; /* and was told of, since reading began */
    size_t piece;     /* bytes of one read; 0, or 512 wait: as they come */
    bool reading;
    uv_alloc_cb on_alloc;
    uv_read_cb on_read;
    /* from the program */
    struct buf out;            /* all that the socket has taken */
    size_t room;               /* bytes that it takes further */
    int out_error;             /* a write fails with this; 0: none */
    bool failed;               /* one has */
    struct fake_write *writes; /* the queue */
    size_t queued;
    bool shutting, fin; /* the program's FIN is to follow; has gone */
    uv_shutdown_t *shutdown;
    uv_shutdown_cb on_shutdown;
    /* while it connects */
    uv_connect_t *connect;
    uv_connect_cb on_connect;
    bool connected;
    int connect_status;
};

/* How connections begin from now on. */
struct fake_net {
    bool connects_wait;       /* until fake_net_connect says how each ends */
    int connect_status;       /* how they end else: 0 or UV_E* */
    size_t room;              /* of a new socket */
    size_t piece;             /* of a new socket */
    bool last_first;          /* sockets have their turn from the last one made */
    struct sockaddr_in local; /* where accepted ones are connected to */
};

/* No socket, no listener. The struct returned is for the test to change. */
struct fake_net *fake_net_begin(void);
/* Frees what was kept of all sockets. */
void fake_net_end(void);

/* One connection more to the listener, or NULL: there is none, or no room for it. */
struct fake_socket *fake_net_call(void);
/* Those made so far, in their order; NULL from the first index that has none. */
struct fake_socket *fake_net_socket(size_t index);
/* The one whose opener has this port (in network order), or NULL. */
struct fake_socket *fake_net_by_port(uint16_t port);

/* The test sends. False: no more room for this run. */
bool fake_socket_send(struct fake_socket *socket, const void *data, size_t len);
/* A connection that waits comes about, or fails. */
void fake_socket_connect(struct fake_socket *socket, int status);

/* For fake_loop: what is to be done now; true: something was. A handle closes. */
bool fake_net_turn(void);
void fake_net_closing(uv_tcp_t *handle);

#endif
