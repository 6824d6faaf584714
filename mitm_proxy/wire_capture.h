/*
 * The wire capture: libpcap records both legs on an interface, in a thread of its own.
 *
 * The file is a nanosecond pcap (pcap-savefile(5)), written a batch of the kernel's at a time, so
 * that a reader sees packets within WIRE_CAPTURE_LATENCY_MS. Needs CAP_NET_RAW to open, and
 * nothing after. What the kernel dropped is counted.
 */
#ifndef MITM_PROXY_WIRE_CAPTURE_H
#define MITM_PROXY_WIRE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hostport.h"
#include "mitm_proxy/sink_file.h"

#define WIRE_CAPTURE_LATENCY_MS 10

struct wire_capture;

struct wire_capture_config {
    const char *interface; /* "any" or a name */
    const char *path;
    uint16_t listen_port, upstream_port; /* TCP on either is recorded; no upstream_port: all TCP */
    const struct hostport *except;       /* of all TCP not that of this server; NULL: none */
};

struct wire_capture_stats {
    uint64_t packets;           /* written */
    uint64_t dropped;           /* by the kernel, as its buffer was full */
    uint64_t dropped_interface; /* by the interface or its driver */
    uint64_t lost;              /* not written: the file failed */
    bool running;
};

/*
 * Opens the interface and the file; packets gather in the kernel from here on. NULL on failure
 * with ERR a sentence for people.
 */
struct wire_capture *wire_capture_open(
    const struct wire_capture_config *config, char *err, size_t err_size);

/* Starts the thread. After it, CAP_NET_RAW may go. 0 or UV_E*. */
int wire_capture_start(struct wire_capture *capture);

/* The file, for its failure hook, which is called from the thread. Only before the start. */
struct sink_file *wire_capture_file(struct wire_capture *capture);

/* From any thread. */
struct wire_capture_stats wire_capture_stats(const struct wire_capture *capture);

/* Opens the path again if another file or none stands there; the thread does it soon. */
void wire_capture_reopen(struct wire_capture *capture);

/* Writes what has come up to now, ends the thread, closes the file and frees. */
void wire_capture_close(struct wire_capture *capture);

#endif
