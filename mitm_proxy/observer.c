#include "mitm_proxy/observer.h"

#include <assert.h>

#include "lib/clock.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): O is a name that the loop declares. */
#define EACH(o, observers)                                                                         \
    for (const struct observer *o = (observers)->list, *o##_end = o + (observers)->count;          \
         o < o##_end; o++)
/* NOLINTEND(bugprone-macro-parentheses) */

void observers_add(struct observers *observers, const struct observer *observer)
{
    assert(observers->count < OBSERVERS_MAX);
    observers->list[observers->count++] = *observer;
    observers->times = observers->times || observer->times;
}

void observers_leg_opened(
    struct observers *observers, const struct connection *connection, enum leg leg)
{
    observers->gathering = true;
    EACH (o, observers)
        if (o->leg_opened)
            o->leg_opened(o->state, connection, leg);
}

void observers_bytes(struct observers *observers, struct connection *connection, enum leg leg,
    enum direction direction, const uv_buf_t *runs, unsigned int count)
{
    uint64_t now = observers->times ? clock_wall_ns() : 0;
    uint64_t len = 0;
    for (unsigned int i = 0; i < count; i++)
        len += runs[i].len;
    observers->gathering = true;
    EACH (o, observers)
        if (o->bytes)
            o->bytes(o->state, connection, leg, direction, runs, count, now);
    connection->legs[leg].bytes[direction] += len;
}

void observers_leg_ended(struct observers *observers, struct connection *connection, enum leg leg,
    enum direction direction, bool reset)
{
    struct connection_leg *ended = &connection->legs[leg];
    if (!ended->open || ended->fin[direction])
        return;
    observers->gathering = true;
    EACH (o, observers)
        if (o->leg_ended)
            o->leg_ended(o->state, connection, leg, direction, reset);
    ended->fin[direction] = true;
    if (reset)
        ended->fin[!direction] = true;
}

void observers_exchange(struct observers *observers, const struct exchange *exchange)
{
    observers->gathering = true;
    EACH (o, observers)
        if (o->exchange)
            o->exchange(o->state, exchange);
}

bool observers_want_contents(const struct observers *observers)
{
    EACH (o, observers)
        if (o->contents)
            return true;
    return false;
}

void observers_connection_closed(struct observers *observers, const struct connection *connection)
{
    observers->gathering = true;
    EACH (o, observers)
        if (o->connection_closed)
            o->connection_closed(o->state, connection);
}

void observers_commit(struct observers *observers)
{
    EACH (o, observers)
        if (o->commit)
            o->commit(o->state);
}

void observers_flush(struct observers *observers)
{
    observers->gathering = false;
    EACH (o, observers)
        if (o->flush)
            o->flush(o->state);
}

void observers_reopen(struct observers *observers)
{
    EACH (o, observers)
        if (o->reopen)
            o->reopen(o->state);
}

void observers_close(struct observers *observers)
{
    EACH (o, observers)
        if (o->close)
            o->close(o->state);
    observers->count = 0;
}
