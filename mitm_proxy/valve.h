/*
 * Lets the bytes of one message out later, or slower, than they came.
 *
 * What nothing holds passes within the call, uncopied. The struct is embedded by its owner and must
 * stay in place while `live`. Times are the loop's, in milliseconds.
 */
#ifndef MITM_PROXY_VALVE_H
#define MITM_PROXY_VALVE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "lib/buf.h"
#include "lib/slice.h"

/* Keeps the valve shut until it is opened, or the time is up. Its owner's, until the reset. */
struct valve_gate {
    struct valve_gate *next;
    uint64_t until;
    bool open;
};

struct valve_pause {
    uint64_t at; /* bytes of the message that go before it */
    uint64_t ms;
};

struct valve {
    uv_loop_t *loop;
    uv_timer_t timer;
    bool live;           /* the timer is there: the memory must stay until on_closed */
    bool ended;          /* no more bytes come */
    bool done;           /* the last was let out */
    unsigned int resets; /* tells a call of on_out that ended all this from one that did not */
    struct buf queue;
    size_t taken;         /* of its bytes were let out */
    uint64_t put, passed; /* bytes that came in, and that were let out */
    uint64_t opens_at;
    struct valve_gate *gates;
    uint64_t rate;      /* bytes in a second; 0: as fast as they come */
    uint64_t rate_from; /* so many first ones are not held to it */
    uint64_t rate_next; /* microseconds of the loop's time: when the next byte may go */
    struct valve_pause *pauses;
    size_t n_pauses, next_pause;
    /* LAST: the message ends with these bytes, which may be none; once per message. */
    void (*on_out)(struct valve *valve, struct slice bytes, bool last);
    void (*on_moved)(struct valve *valve);  /* the timer let bytes out */
    void (*on_closed)(struct valve *valve); /* only if it was live */
    void *data;                             /* the owner's */
};

/* Callbacks and data are the owner's to set. At most QUEUE_MAX bytes wait. */
void valve_init(struct valve *valve, uv_loop_t *loop, size_t queue_max);

/* Ready for another message: what waits of the last one is dropped. */
void valve_reset(struct valve *valve);

/* Nothing goes before MS after SINCE; several delays add up. */
void valve_delay(struct valve *valve, uint64_t since, uint64_t ms);
void valve_shut(struct valve *valve, struct valve_gate *gate, uint64_t ms_at_most);
void valve_open_gate(struct valve *valve, struct valve_gate *gate);
/* From now on BYTES_PER_SECOND, but for the first FREE_BYTES; the slowest counts. */
void valve_throttle(struct valve *valve, uint64_t bytes_per_second, uint64_t free_bytes);
/* When so many bytes more were put in and let out nothing goes for MS. 0 or UV_ENOMEM. */
int valve_pause(struct valve *valve, size_t bytes, uint64_t ms) __attribute__((warn_unused_result));

/* Takes bytes; LAST: no more come. What may go goes at once. 0, UV_ENOBUFS or UV_ENOMEM. */
int valve_put(struct valve *valve, struct slice bytes, bool last)
    __attribute__((warn_unused_result));

/* Bytes that wait; 0 while the timer lets some out. */
size_t valve_queued(const struct valve *valve);

/* As valve_reset, and the memory goes; on_closed follows where it was live. */
void valve_close(struct valve *valve);

#endif
