/*
 * What is recorded, by the options: the exchange log, a capture, and lines on stdout. Each proxy
 * has observers of its own, and all of them write to the same files.
 */
#ifndef MITM_PROXY_RECORDERS_H
#define MITM_PROXY_RECORDERS_H

#include <stdatomic.h>

#include "mitm_proxy/admin.h"
#include "mitm_proxy/options.h"

struct wire_capture;

/* Zeroed: nothing is. */
struct recorders {
    const struct proxy_options *options;
    struct observers *first; /* whose observers have the files */
    atomic_int *failing;     /* counts files that cannot be written, where that matters */
    struct observe_exchanges *exchanges; /* NULL: none */
    struct observe_pcap *payload;        /* NULL: none */
    struct observe_log *lines;           /* NULL: none */
    struct wire_capture *wire;           /* NULL: none */
};

/* Before the proxy listens: the exchange log and stdout. 0 or UV_E*, which was logged. */
int recorders_open(struct recorders *recorders);

/* The capture, of what goes to LISTEN_PORT, too; the wire's needs a privilege. The same. */
int recorders_open_capture(struct recorders *recorders, uint16_t listen_port);

/* Once all are open: the same for a proxy on another thread. The same. */
int recorders_join(struct recorders *recorders, struct observers *observers);

/* Files that this process has made become another user's. */
void recorders_give(const struct recorders *recorders, uid_t uid, gid_t gid);

/* Once privileges are given up and the sandbox is there. 0 or UV_E*, which was logged. */
int recorders_start(struct recorders *recorders);

/* Files may have been moved. */
void recorders_reopen(struct recorders *recorders);

/* What has become of the capture; ARG: the recorders. From any thread. */
struct admin_recording recorders_capture(void *arg);

/* For the admin port; NULL: none. */
const struct sink_file *recorders_log_file(const struct recorders *recorders);
const struct hash_chain *recorders_chain(const struct recorders *recorders);

/* After the observers of other threads have been closed: closes those of the first proxy. */
void recorders_close(struct recorders *recorders);

#endif
