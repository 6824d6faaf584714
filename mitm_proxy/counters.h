/*
 * What the proxy has counted since it started, as /metrics shows it. One thread counts, others may
 * read meanwhile; the capture thread has counters of its own.
 */
#ifndef MITM_PROXY_COUNTERS_H
#define MITM_PROXY_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "mitm_proxy/observer.h"

#define DURATION_BUCKETS 12
#define COUNTED_ERRORS 32

struct counters {
    atomic_ullong connections, connections_closed;
    atomic_ullong upstream_connections;
    atomic_ullong exchanges_by_class[6]; /* 1xx to 5xx; [0]: no status */
    struct {
        const char *_Atomic word;
        atomic_ullong count;
    } errors[COUNTED_ERRORS];                  /* up to the first without a word */
    atomic_ullong bytes[2][2];                 /* by leg and direction */
    atomic_ullong tunnels;                     /* that have ended */
    atomic_ullong frames[2][WEBSOCKET_FRAMES]; /* of their WebSockets, by direction and kind */
    atomic_ullong durations[DURATION_BUCKETS + 1];
    atomic_ullong duration_sum_us;
};

/* Upper bounds of the buckets, in seconds. */
extern const double counters_bounds[DURATION_BUCKETS];

/* The observer that counts into COUNTERS, which must outlive it. */
struct observer counters_observer(struct counters *counters);

/* Adds what MORE has come to, to SUM, which no other thread uses. */
void counters_add(struct counters *sum, const struct counters *more);

#endif
