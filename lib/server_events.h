/*
 * Server-sent events (WHATWG HTML §9.2): bytes in, events out; and events as bytes. No I/O.
 *
 * What is read is not decoded: bytes that are no UTF-8 stay as they are. The fields "id" and
 * "retry", which are for reconnecting, are passed over.
 */
#ifndef LIB_SERVER_EVENTS_H
#define LIB_SERVER_EVENTS_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/slice.h"

struct server_event {
    struct slice type; /* "message" where none was named */
    struct slice data; /* its lines, with a line feed between each two */
};

/* The event is valid during the call. */
typedef void (*server_event_cb)(void *arg, const struct server_event *event);

struct server_events {
    server_event_cb on_event;
    void *arg;
    struct buf line, type, data; /* of the event at hand */
    bool begun;                  /* the first line is over, and a byte order mark with it */
    bool after_cr;               /* a line feed that follows belongs to it */
};

/* MAX: bytes of one line and of one event's data, each. */
void server_events_init(
    struct server_events *events, size_t max, server_event_cb on_event, void *arg);
void server_events_deinit(struct server_events *events);

/*
 * Takes the next bytes, and calls on_event for each event that they end. An event that no blank
 * line ends is none. 0, UV_ENOBUFS past the maximum, or UV_ENOMEM; after an error nothing may be
 * fed.
 */
int server_events_feed(struct server_events *events, struct slice bytes)
    __attribute__((warn_unused_result));

/*
 * Appends an event of TYPE, which has no line break. Line breaks in DATA (CRLF, LF or CR) arrive as
 * line feeds. 0 or an error of buf.h; on error a part may have been added.
 */
int server_events_append(struct buf *out, const char *type, struct slice data)
    __attribute__((warn_unused_result));

#endif
