/*
 * What the proxy has counted since it started, as /metrics shows it. One thread writes; the
 * capture thread's own counters are atomics of its own.
 */
#ifndef MITM_PROXY_COUNTERS_H
#define MITM_PROXY_COUNTERS_H

#include <stdint.h>

#include "mitm_proxy/observer.h"

#define DURATION_BUCKETS 12
#define COUNTED_ERRORS 32

struct counters {
    uint64_t connections, connections_closed;
    uint64_t upstream_connections;
    uint64_t exchanges_by_class[6]; /* 1xx to 5xx; [0]: no status */
    struct {
        const char *word;
        uint64_t count;
    } errors[COUNTED_ERRORS];             /* up to the first without a word */
    uint64_t bytes[2][2];                 /* by leg and direction */
    uint64_t tunnels;                     /* that have ended */
    uint64_t frames[2][WEBSOCKET_FRAMES]; /* of their WebSockets, by direction and kind */
    uint64_t durations[DURATION_BUCKETS + 1];
    uint64_t duration_sum_us;
};

/* Upper bounds of the buckets, in seconds. */
extern const double counters_bounds[DURATION_BUCKETS];

/* The observer that counts into COUNTERS, which must outlive it. */
struct observer counters_observer(struct counters *counters);

#endif
