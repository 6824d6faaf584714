#include "lib/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

const char *clock_rfc3339(uint64_t wall_ns, char *out)
{
    time_t seconds = (time_t)(wall_ns / 1000000000u);
    struct tm utc;
    char text[80];
    gmtime_r(&seconds, &utc);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", utc.tm_year + 1900,
        utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
        (unsigned)(wall_ns / 1000u % 1000000u));
    snprintf(out, CLOCK_RFC3339_SIZE, "%.27s", text);
    return out;
}
