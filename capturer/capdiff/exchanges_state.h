/*
 * What the rooms of the exchanges hand to each other: exchanges (which message belongs to which
 * exchange), exchanges_take (what the streams bring, and what of it has to wait), exchanges_read
 * (the messages of one side).
 */
#ifndef CAPDIFF_EXCHANGES_STATE_H
#define CAPDIFF_EXCHANGES_STATE_H

#include "capturer/capdiff/exchanges.h"

#define EXCHANGES_WAITING_MAX ((size_t)1024 * 1024) /* bytes that wait for the other side */

/* How many wait. */
static inline size_t waiting_len(const struct http_side *side)
{
    return side->waiting.len - side->waiting_at;
}

/* Frees one that is the last, or that was taken out. */
void exchange_free(struct exchanges *http, struct exchange *exchange);
/* Frees what reading this side takes. */
void exchanges_side_deinit(struct http_side *side);

/* A message begins with RUN, on a side that is between messages. */
void exchanges_begin(struct exchanges *http, int which, const struct tcp_run *run);

/* The exchange is certain to be one, and comes before those that are not so far. */
void exchanges_order(const struct exchanges *http, struct exchange *exchange);

/* The message at hand is over, if there is one. */
void exchanges_end(struct exchanges *http, int which, enum message_state state);

/* The same for one that message_all has ended. */
void exchanges_over(struct exchanges *http, int which);

/*
 * Reads the next piece of RUN, which moves on: HTTP_EVENT_HEAD when it has to be called again,
 * also with an empty run.
 */
enum http_event exchanges_read(struct exchanges *http, int which, struct tcp_run *run);

/* All of a body whose length is known has come, or passed by in a gap. */
void exchanges_counted(struct exchanges *http, int which);

/* The CONNECT at hand is over, and with it this side of its connection: another one begins. */
void exchanges_connected(struct exchanges *http, int which);

#endif
