#include "agent_a/event_answer.h"

#include "agent_a/client.h"

bool event_answer_is(const struct http_head *head)
{
    struct slice type = http_head_field(head, "Content-Type");
    if (type.data == NULL)
        return false;
    const char *parameters = memchr(type.data, ';', type.len);
    if (parameters != NULL)
        type.len = (size_t)(parameters - type.data);
    return slice_is_nocase(slice_trim(type), "text/event-stream");
}

static void take_event(void *arg, const struct server_event *event)
{
    struct event_answer *answer = arg;
    answer->count++;
    answer->on_event(answer->arg, event);
    if (!slice_is(event->type, "result") || answer->status != 0)
        return;
    answer->has_result = true;
    buf_clear(&answer->result);
    answer->status = buf_append(&answer->result, event->data.data, event->data.len);
}

/* No event is larger than the body that it comes in. */
void event_answer_init(struct event_answer *answer, server_event_cb on_event, void *arg)
{
    *answer = (struct event_answer){.on_event = on_event, .arg = arg};
    server_events_init(&answer->events, CLIENT_ANSWER_MAX, take_event, answer);
    buf_init(&answer->result, CLIENT_ANSWER_MAX);
}

void event_answer_deinit(struct event_answer *answer)
{
    server_events_deinit(&answer->events);
    buf_deinit(&answer->result);
}

void event_answer_begin(struct event_answer *answer)
{
    event_answer_deinit(answer);
    event_answer_init(answer, answer->on_event, answer->arg);
}

void event_answer_feed(struct event_answer *answer, struct slice bytes)
{
    if (answer->status != 0)
        return;
    int status = server_events_feed(&answer->events, bytes);
    if (status != 0)
        answer->status = status;
}

struct slice event_answer_result(const struct event_answer *answer)
{
    if (!answer->has_result)
        return slice_of(NULL, 0);
    return slice_of(answer->result.len > 0 ? answer->result.data : "", answer->result.len);
}
