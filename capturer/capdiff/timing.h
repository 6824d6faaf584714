/*
 * Where the time of an exchange went. Each span is a difference of two stamps of one capture, so
 * that clocks that are apart do not matter.
 */
#ifndef CAPDIFF_TIMING_H
#define CAPDIFF_TIMING_H

#include "capturer/capdiff/evidence.h"

enum span {
    SPAN_PROXY_IN,  /* asked on the client leg, not yet on the upstream leg */
    SPAN_WAY,       /* between the proxy and the server, there and back */
    SPAN_SERVER,    /* the server's capture: first byte asked to last byte answered */
    SPAN_PROXY_OUT, /* answered on the upstream leg, not yet on the client leg */
};
#define SPANS 4

struct timing {
    uint64_t total_ns;     /* on the leg nearest to the client that has both ends; 0: not known */
    uint64_t spans[SPANS]; /* ns; 0 where a view is missing */
};

/* Where a view lacks the exchange, its part is in the span around it. */
void timing_of(const struct crossing *crossing, struct timing *timing);

/* What people call a span. */
const char *span_text(enum span span);

#endif
