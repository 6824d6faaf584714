/*
 * Clocks that jump. To be preloaded: CLOCK_JUMPS names a file of two 64-bit words, the nanoseconds
 * that are added to the wall clock and to the monotonic clocks.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <time.h>

#include "tests/faults/control.h"

#define SECOND 1000000000

static int (*real_gettime)(clockid_t id, struct timespec *now);
static const volatile int64_t *offsets;

__attribute__((constructor)) static void begin(void)
{
    *(void **)&real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    offsets = control_open("CLOCK_JUMPS");
}

static bool is_wall(clockid_t id)
{
    return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

static bool is_monotonic(clockid_t id)
{
    return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): theirs are reserved */
int clock_gettime(clockid_t id, struct timespec *now)
{
    if (!offsets)
        begin();
    int err = real_gettime(id, now);
    int64_t offset = is_wall(id) ? offsets[0] : is_monotonic(id) ? offsets[1] : 0;
    if (err || offset == 0)
        return err;
    int64_t ns = (int64_t)now->tv_sec * SECOND + now->tv_nsec + offset;
    now->tv_sec = ns / SECOND;
    now->tv_nsec = ns % SECOND;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
