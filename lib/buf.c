#include "lib/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BUF_FIRST 256

int buf_grow(struct buf *buf, size_t len)
{
    if (len > buf->max || buf->len > buf->max - len)
        return UV_ENOBUFS;
    size_t need = buf->len + len;
    size_t size = buf->size ? buf->size : BUF_FIRST;
    while (size < need)
        size = size > SIZE_MAX / 2 ? need : size * 2;
    if (size > buf->max)
        size = buf->max;
    char *data = realloc(buf->data, size);
    if (!data)
        return UV_ENOMEM;
    buf->data = data;
    buf->size = size;
    return 0;
}

int buf_append_number(struct buf *buf, uint64_t number)
{
    size_t len = 1; /* 20 at most */
    for (uint64_t more = 10; len < 20 && number >= more; more *= 10)
        len++;
    int err = buf_reserve(buf, len);
    if (err)
        return err;
    buf->len += len;
    char *at = buf->data + buf->len;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return 0;
}

/* The text did not fit into what was allocated: makes room for its LEN bytes and prints it there.
 */
static int print_again(struct buf *buf, size_t len, const char *format, va_list args)
{
    if (buf_reserve(buf, len + 1) == 0) {
        vsnprintf(buf->data + buf->len, len + 1, format, args);
        buf->len += len;
        return 0;
    }
    /* Just below the cap the text may fit and vsnprintf's terminator not. */
    char *text = malloc(len + 1);
    if (!text)
        return UV_ENOMEM;
    vsnprintf(text, len + 1, format, args);
    int err = buf_append(buf, text, len);
    free(text);
    return err;
}

int buf_vprintf(struct buf *buf, const char *format, va_list args)
{
    size_t room = buf->size - buf->len;
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(room ? buf->data + buf->len : NULL, room, format, args);
    int err = len < 0 ? UV_EINVAL : 0;
    if (!err && (size_t)len >= room)
        err = print_again(buf, (size_t)len, format, again);
    else if (!err)
        buf->len += (size_t)len;
    va_end(again);
    return err;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int err = buf_vprintf(buf, format, args);
    va_end(args);
    return err;
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}
