/*
 * A borrowed run of bytes: no owner, no terminator. NULL data with length 0 means "absent".
 */
#ifndef LIB_SLICE_H
#define LIB_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *data;
    size_t len;
};

static inline struct slice slice_of(const char *data, size_t len)
{
    return (struct slice){data, len};
}

static inline struct slice slice_str(const char *str)
{
    return (struct slice){str, strlen(str)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *str)
{
    return slice_equal(a, slice_str(str));
}

/* ASCII case is ignored, as for field names (RFC 9110 §5.1); most come as they are written. */
static inline bool slice_is_nocase(struct slice a, const char *str)
{
    size_t len = strlen(str);
    return a.len == len &&
           (len == 0 || memcmp(a.data, str, len) == 0 || strncasecmp(a.data, str, len) == 0);
}

/* Without the spaces and tabs around it: OWS of RFC 9110 §5.6.3. */
static inline struct slice slice_trim(struct slice a)
{
    while (a.len > 0 && (a.data[0] == ' ' || a.data[0] == '\t')) {
        a.data++;
        a.len--;
    }
    while (a.len > 0 && (a.data[a.len - 1] == ' ' || a.data[a.len - 1] == '\t'))
        a.len--;
    return a;
}

#endif
