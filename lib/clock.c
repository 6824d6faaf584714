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

/* What a second is called, which is made once for all that is stamped in it. */
struct second {
    uint64_t number;
    size_t len; /* 0: there was none yet */
    char text[sizeof "2026-01-31T12:34:56."];
};

/* WALL_NS's, as PUT has it, which returns its end; and so does this. */
static char *copy_second(
    struct second *last, uint64_t wall_ns, char *(*put)(time_t second, char *out), char *out)
{
    uint64_t number = wall_ns / 1000000000u;
    if (last->len == 0 || number != last->number) {
        last->number = number;
        last->len = (size_t)(put((time_t)number, last->text) - last->text);
    }
    memcpy(out, last->text, last->len);
    return out + last->len;
}

static char *put_time(char *at, const struct tm *time)
{
    at = put_digits(at, (unsigned)time->tm_hour, 2, ':');
    at = put_digits(at, (unsigned)time->tm_min, 2, ':');
    return put_digits(at, (unsigned)time->tm_sec, 2, '.');
}

static char *put_utc(time_t second, char *out)
{
    struct tm utc;
    gmtime_r(&second, &utc);
    char *at = put_digits(out, (unsigned)utc.tm_year + 1900, 4, '-');
    at = put_digits(at, (unsigned)utc.tm_mon + 1, 2, '-');
    at = put_digits(at, (unsigned)utc.tm_mday, 2, 'T');
    return put_time(at, &utc);
}

static char *put_local(time_t second, char *out)
{
    struct tm local;
    localtime_r(&second, &local);
    return put_time(out, &local);
}

const char *clock_rfc3339(uint64_t wall_ns, char *out)
{
    static _Thread_local struct second last;
    char *at = copy_second(&last, wall_ns, put_utc, out);
    at = put_digits(at, (unsigned)(wall_ns / 1000u % 1000000u), 6, 'Z');
    *at = '\0';
    return out;
}

const char *clock_of_day(uint64_t wall_ns, char *out)
{
    static _Thread_local struct second last;
    char *at = copy_second(&last, wall_ns, put_local, out);
    put_digits(at, (unsigned)(wall_ns / 1000000u % 1000u), 3, '\0');
    return out;
}
