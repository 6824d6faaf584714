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
    struct server_events events;
    uint64_t count;    /* of the events that came */
    bool has_result;   /* among them */
    struct buf result; /* the data of the last event "result" */
    int status;        /* 0 or UV_ENOMEM */
};

/* True when the type of an answer with HEAD is text/event-stream. */
bool event_answer_is(const struct http_head *head);

void event_answer_init(struct event_answer *answer, server_event_cb on_event, void *arg);
void event_answer_deinit(struct event_answer *answer);

/* Another answer: nothing of it has come. */
void event_answer_begin(struct event_answer *answer);

/*
 * Takes the next bytes of the body, which has CLIENT_ANSWER_MAX at most. Once the status is
 * UV_ENOMEM nothing more is read.
 */
void event_answer_feed(struct event_answer *answer, struct slice bytes);

/* The result, until the next one comes; absent where there was none. */
struct slice event_answer_result(const struct event_answer *answer);

#endif
