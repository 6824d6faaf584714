#include "lib/clock.h"

#include <string.h>
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

/* The last COUNT digits of NUMBER, and AFTER; returns what is behind it. Each exchange has a stamp,
 * and printf would take half of what its record costs. */
static char *put_digits(char *at, unsigned number, int count, char after)
{
    for (int i = count - 1; i >= 0; i--, number /= 10)
        at[i] = (char)('0' + number % 10);
    at[count] = after;
    return at + count + 1;
}

/* "2026-01-31T12:34:56." in UTC. */
static void put_second(uint64_t second, char *out)
{
    time_t seconds = (time_t)second;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char *at = put_digits(out, (unsigned)utc.tm_year + 1900, 4, '-');
    at = put_digits(at, (unsigned)utc.tm_mon + 1, 2, '-');
    at = put_digits(at, (unsigned)utc.tm_mday, 2, 'T');
    at = put_digits(at, (unsigned)utc.tm_hour, 2, ':');
    at = put_digits(at, (unsigned)utc.tm_min, 2, ':');
    put_digits(at, (unsigned)utc.tm_sec, 2, '.');
}

const char *clock_rfc3339(uint64_t wall_ns, char *out)
{
    static _Thread_local struct {
        uint64_t second;
        char text[sizeof "2026-01-31T12:34:56." - 1];
    } last = {.second = UINT64_MAX};
    uint64_t second = wall_ns / 1000000000u;
    if (second != last.second)
        put_second(second, last.text);
    last.second = second;
    memcpy(out, last.text, sizeof last.text);
    put_digits(out + sizeof last.text, (unsigned)(wall_ns / 1000u % 1000000u), 6, 'Z');
    out[CLOCK_RFC3339_SIZE - 1] = '\0';
    return out;
}

/* "12:34:56." of the local day. */
static void put_local_second(uint64_t second, char *out)
{
    time_t seconds = (time_t)second;
    struct tm local;
    localtime_r(&seconds, &local);
    char *at = put_digits(out, (unsigned)local.tm_hour, 2, ':');
    at = put_digits(at, (unsigned)local.tm_min, 2, ':');
    put_digits(at, (unsigned)local.tm_sec, 2, '.');
}

const char *clock_of_day(uint64_t wall_ns, char *out)
{
    static _Thread_local struct {
        uint64_t second;
        char text[sizeof "12:34:56." - 1];
    } last = {.second = UINT64_MAX};
    uint64_t second = wall_ns / 1000000000u;
    if (second != last.second)
        put_local_second(second, last.text);
    last.second = second;
    memcpy(out, last.text, sizeof last.text);
    put_digits(out + sizeof last.text, (unsigned)(wall_ns / 1000000u % 1000u), 3, '\0');
    return out;
}
