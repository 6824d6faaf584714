/*
 * The proxy's sandbox: what it needs of files and system calls once all is open, and no more.
 */
#ifndef MITM_PROXY_CONFINEMENT_H
#define MITM_PROXY_CONFINEMENT_H

#include <stdbool.h>

#include "mitm_proxy/options.h"

/* What is in force, for people and /metrics. */
struct confinement {
    bool calls; /* by seccomp */
    int files;  /* the version of Landlock's interface; 0: all files are as open as its user may */
};

/* Before uv_loop_init. */
void confine_begin(enum sandbox_wish wish);

/*
 * After privileges_give_up, before any thread. The folders of --exchange-log, --pcap and --keylog
 * stay open for writing, that of --rules for reading, and what is needed for names, for trust and
 * for the time. What the kernel lacks is said in one line; with SANDBOX_REQUIRE that is UV_ENOTSUP.
 * 0 or UV_E*.
 */
int confine(struct confinement *in_force, const struct proxy_options *options);

/* The same for the process of socket_broker.h, which opens nothing and has a channel. 0 or UV_E*.
 */
int confine_broker(enum sandbox_wish wish);

#endif
