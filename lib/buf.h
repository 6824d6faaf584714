/*
 * A growable byte buffer with a maximum.
 *
 * Every buffer names its cap, so no input can make one grow without bound. An append that would
 * pass the cap, or that finds no memory, changes nothing and says so.
 */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct buf {
    char *data; /* NULL while empty and never grown */
    size_t len;
    size_t size; /* bytes allocated */
    size_t max;  /* bytes at most */
};

/* An empty buffer that allocates nothing until the first append. */
static inline void buf_init(struct buf *buf, size_t max);

/* Frees the memory; the buffer is empty again with the same maximum. */
static inline void buf_deinit(struct buf *buf);

/* Empties the buffer and keeps its memory. */
static inline void buf_clear(struct buf *buf);

/* All of these return 0, UV_ENOBUFS past the maximum, or UV_ENOMEM; on error nothing is added. */
static inline int buf_append(struct buf *buf, const void *data, size_t len)
    __attribute__((warn_unused_result));
static inline int buf_append_str(struct buf *buf, const char *str)
    __attribute__((warn_unused_result));
static inline int buf_append_char(struct buf *buf, char c) __attribute__((warn_unused_result));
int buf_append_number(struct buf *buf, uint64_t number) /* in decimal digits */
    __attribute__((warn_unused_result));
int buf_printf(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));
int buf_vprintf(struct buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0), warn_unused_result));

/* Makes room for LEN more bytes at data + len without adding any. */
static inline int buf_reserve(struct buf *buf, size_t len) __attribute__((warn_unused_result));
int buf_grow(struct buf *buf, size_t len) /* buf_reserve's way where the room is not there yet */
    __attribute__((warn_unused_result));

/* Drops the first LEN bytes. */
void buf_consume(struct buf *buf, size_t len);

/* What is called for each piece of each record, or for each exchange, is inline. */

static inline void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

static inline void buf_deinit(struct buf *buf)
{
    if (buf->data)
        free(buf->data);
    buf_init(buf, buf->max);
}

static inline void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

static inline int buf_reserve(struct buf *buf, size_t len)
{
    bool fits = buf->size <= buf->max && len <= buf->size - buf->len;
    return fits ? 0 : buf_grow(buf, len);
}

static inline int buf_append(struct buf *buf, const void *data, size_t len)
{
    int err = len > 0 ? buf_reserve(buf, len) : 0;
    if (err || len == 0)
        return err;
    memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    return 0;
}

static inline int buf_append_str(struct buf *buf, const char *str)
{
    return buf_append(buf, str, strlen(str));
}

static inline int buf_append_char(struct buf *buf, char c)
{
    return buf_append(buf, &c, 1);
}

#endif
