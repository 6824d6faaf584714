/*
 * The two clocks: monotonic for durations and timers, wall for what people and captures read.
 */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_ns(void); /* since 1970-01-01T00:00:00Z */

#define CLOCK_RFC3339_SIZE 28 /* "2026-01-31T12:34:56.123456Z" and the terminator */

#define CLOCK_OF_DAY_SIZE 13 /* "12:34:56.789" and the terminator */

/* Wall time as the local time of day. OUT has CLOCK_OF_DAY_SIZE bytes. Returns OUT. */
const char *clock_of_day(uint64_t wall_ns, char *out);

/* Wall time as RFC 3339 in UTC with microseconds. OUT has CLOCK_RFC3339_SIZE bytes. Returns OUT. */
const char *clock_rfc3339(uint64_t wall_ns, char *out);

#endif
