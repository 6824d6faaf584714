/*
 * How far the clocks of two recordings are apart, from the packets that both have.
 *
 * Nothing is received before it was sent. A request's first byte, sent at t1 by one clock and
 * received at t2 by the other, says that the other is ahead by at most t2 - t1; a response, sent at
 * t3 by the other and received at t4, that it is ahead by at least t3 - t4 (the bounds that RFC
 * 5905 §8 takes its offset and delay from). All of them together leave an interval, which is as
 * narrow as the quickest way there and the quickest way back.
 */
#ifndef CAPDIFF_CLOCK_OFFSET_H
#define CAPDIFF_CLOCK_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

#include "capturer/capdiff/connection.h"

struct clock_offset {
    uint64_t requests, responses; /* bounds; without one of each nothing is known */
    int64_t low_ns, high_ns;      /* the far clock is ahead of the near one by as much as this */
    /* No offset fits all of them: a clock was set or drifts, or one host recorded both, whose
     * stamps are a little out of order. Then the interval is what lies between them. */
    bool crossed;
};

/* Takes an exchange that was found in the far recording, if it came in the very same packets. */
void clock_offset_take(struct clock_offset *offset, const struct exchange *near);

/* Takes all exchanges of the connections of NEAR's leg that were found in the far recording. */
void clock_offset_find(struct clock_offset *offset, const struct connections *near, enum leg leg);

/* All has been taken. */
void clock_offset_end(struct clock_offset *offset);

bool clock_offset_known(const struct clock_offset *offset);

/* 0 where 0 fits, or nothing is known; else the interval's middle. In nanoseconds. */
int64_t clock_offset_ns(const struct clock_offset *offset);

/* How far the truth may be from that, either way. */
uint64_t clock_offset_uncertainty_ns(const struct clock_offset *offset);

#endif
