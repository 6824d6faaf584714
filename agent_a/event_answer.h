/*
 * An answer that is a stream of server-sent events: what it tells on the way, and its result.
 */
#ifndef AGENT_A_EVENT_ANSWER_H
#define AGENT_A_EVENT_ANSWER_H

#include <stdint.h>

#include "lib/http_head.h"
#include "lib/server_events.h"

struct event_answer {
    server_event_cb on_event; /* for each event, the result too */
    void *arg;
    uint64_t count;    /* of the events that came */
    bool has_result;   /* among them */
    struct buf result; /* the data of the last event "result" */
    int status;        /* 0 or UV_ENOMEM */
};

/* True when the type of an answer with HEAD is text/event-stream. */
bool event_answer_is(const struct http_head *head);

void event_answer_init(struct event_answer *answer, server_event_cb on_event, void *arg);
void event_answer_deinit(struct event_answer *answer);

/* Reads a whole BODY, as if none was read before. 0 or UV_ENOMEM. */
int event_answer_read(struct event_answer *answer, struct slice body)
    __attribute__((warn_unused_result));

/* The result, until the next is read; absent where there was none. */
struct slice event_answer_result(const struct event_answer *answer);

#endif
