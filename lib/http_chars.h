/*
 * Which bytes may stand where in an HTTP/1.1 head: a class is a set of them.
 */
#ifndef LIB_HTTP_CHARS_H
#define LIB_HTTP_CHARS_H

#include <stdbool.h>

#include "lib/slice.h"

enum http_class {
    HTTP_TEXT = 1,   /* a field value or a reason: all but controls, HTAB too (RFC 9110 §5.5) */
    HTTP_TARGET = 2, /* a request target: what is visible in ASCII, but no '#' (RFC 9112 §3.2) */
    HTTP_TOKEN = 4,  /* a method or a field name: tchar (RFC 9110 §5.6.2) */
    HTTP_HOST = 8,   /* a name of a host: unreserved and sub-delims (RFC 3986 §3.2.2) */
};

/* The classes of each byte. CR, LF and NUL are in none. */
extern const unsigned char http_chars[256];

static inline bool http_char_is(char c, enum http_class class)
{
    return http_chars[(unsigned char)c] & class;
}

/* The first byte from AT on that is not of CLASS: there must be one, as a LF is. */
static inline const char *http_chars_end(const char *at, enum http_class class)
{
    while (http_char_is(*at, class))
        at++;
    return at;
}

/* Are all of them of CLASS? There may be none. */
static inline bool http_chars_are(struct slice text, enum http_class class)
{
    for (size_t i = 0; i < text.len; i++)
        if (!http_char_is(text.data[i], class))
            return false;
    return true;
}

#endif
