/*
 * HTTP through a proxy, as both hosts record it.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdint.h>
#include <stdio.h>

#include "bodies.h"
#include "segments.h"

enum traffic_manner {
    TRAFFIC_BEHIND = 1,   /* the server's host has as much traffic of its own, behind the server */
    TRAFFIC_RENAMED = 2,  /* the proxy changes a field of every request */
    TRAFFIC_EQUAL = 4,    /* every call is the same, byte for byte */
    TRAFFIC_POOLED = 8,   /* the proxy sends the calls of all over a few connections */
    TRAFFIC_LIVE = 16,    /* connections are not closed */
    TRAFFIC_HALF = 32,    /* a request is begun at last, and not ended */
    TRAFFIC_REUSED = 64,  /* all connections are between the same ports */
    TRAFFIC_MIXED = 128,  /* bodies of 200 bytes to 1 MB, mostly short ones */
    TRAFFIC_LOGGED = 256, /* with the proxy's exchange log */
    TRAFFIC_REPEATED = 512,   /* the proxy asks everything twice */
    TRAFFIC_CHANGED = 1024,   /* the proxy changes every request as its kind of body says */
    TRAFFIC_PIPELINED = 2048, /* all requests of a connection before the first response */
};

struct traffic {
    long connections, exchanges; /* on each of them */
    size_t body;                 /* bytes, each way */
    long together;               /* connections that are open at a time */
    unsigned manner;
    segments_cb send;
    enum body_kind kind;
};

/* Writes it all. LOG may be NULL. Returns the number of exchanges. */
long traffic_make(const struct traffic *traffic, FILE *log);

#endif
