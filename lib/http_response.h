/*
 * The head of an answer as bytes. Part of http_server.
 */
#ifndef LIB_HTTP_RESPONSE_H
#define LIB_HTTP_RESPONSE_H

#include <stdbool.h>

#include "lib/http_server.h"

enum http_persistence {
    HTTP_PERSISTS,  /* the default of HTTP/1.1: nothing is said */
    HTTP_KEEPALIVE, /* an HTTP/1.0 client asked for it and must be told */
    HTTP_CLOSES,
};

/* True when an answer with this status has a body and a length (RFC 9110 §6.4.1, §8.6). */
bool http_status_has_body(int status);

/* Both ends of a zeroed response: its buffers. */
void http_response_init(struct http_response *response);
void http_response_deinit(struct http_response *response);

/* Appends the head, empty line included; the body's length, or that it is chunked. 0 or UV_E*. */
int http_response_head(struct buf *out, const struct http_response *response,
    enum http_persistence persistence) __attribute__((warn_unused_result));

/* Appends the body of a response that has chunks, with their framing. 0 or an error of buf.h. */
int http_response_frame(struct buf *out, const struct http_response *response)
    __attribute__((warn_unused_result));

#endif
