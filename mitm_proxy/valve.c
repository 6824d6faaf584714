#include "mitm_proxy/valve.h"

#include <stdlib.h>

#define PIECES_PER_SECOND 50 /* in so many a throttled second's bytes go */
#define CUT_OFF_MS 1         /* of the loop's time at most, so that no wait is too short */

void valve_init(struct valve *valve, uv_loop_t *loop, size_t queue_max)
{
    *valve = (struct valve){.loop = loop};
    buf_init(&valve->queue, queue_max);
}

void valve_reset(struct valve *valve)
{
    valve->resets++;
    if (valve->live)
        uv_timer_stop(&valve->timer);
    buf_deinit(&valve->queue);
    valve->taken = 0;
    free(valve->pauses);
    valve->pauses = NULL;
    valve->n_pauses = valve->next_pause = 0;
    valve->gates = NULL;
    valve->ended = valve->done = false;
    valve->put = valve->passed = 0;
    valve->opens_at = valve->rate = valve->rate_from = valve->rate_next = 0;
}

void valve_delay(struct valve *valve, uint64_t since, uint64_t ms)
{
    valve->opens_at = (valve->opens_at > 0 ? valve->opens_at : since + CUT_OFF_MS) + ms;
}

void valve_shut(struct valve *valve, struct valve_gate *gate, uint64_t ms_at_most)
{
    gate->until = uv_now(valve->loop) + ms_at_most + CUT_OFF_MS;
    gate->open = false;
    gate->next = valve->gates;
    valve->gates = gate;
}

void valve_throttle(struct valve *valve, uint64_t bytes_per_second, uint64_t free_bytes)
{
    if (valve->rate == 0 || bytes_per_second < valve->rate)
        valve->rate = bytes_per_second;
    valve->rate_from = free_bytes;
}

int valve_pause(struct valve *valve, size_t bytes, uint64_t ms)
{
    struct valve_pause *pauses =
        realloc(valve->pauses, (valve->n_pauses + 1) * sizeof *valve->pauses);
    if (!pauses)
        return UV_ENOMEM;
    valve->pauses = pauses;
    pauses[valve->n_pauses++] = (struct valve_pause){valve->put + bytes, ms};
    return 0;
}

size_t valve_queued(const struct valve *valve)
{
    return valve->queue.len - valve->taken;
}

/* Until when nothing goes; 0 or past: something may. */
static uint64_t shut_until(const struct valve *valve)
{
    uint64_t until = valve->opens_at;
    for (const struct valve_gate *gate = valve->gates; gate; gate = gate->next) {
        if (!gate->open && gate->until > until)
            until = gate->until;
    }
    return until;
}

/* Begins the pause that is due here; false: there is none. */
static bool begin_pause(struct valve *valve)
{
    if (valve->next_pause == valve->n_pauses || valve->pauses[valve->next_pause].at > valve->passed)
        return false;
    valve->opens_at = uv_now(valve->loop) + valve->pauses[valve->next_pause++].ms + CUT_OFF_MS;
    return true;
}

static size_t least(size_t a, uint64_t b)
{
    return b < a ? (size_t)b : a;
}

/* How many of LEN bytes may go now. */
static size_t allowed(struct valve *valve, size_t len)
{
    uint64_t now = uv_now(valve->loop);
    while (shut_until(valve) <= now && begin_pause(valve))
        ;
    if (shut_until(valve) > now)
        return 0;
    if (valve->next_pause < valve->n_pauses)
        len = least(len, valve->pauses[valve->next_pause].at - valve->passed);
    if (valve->rate == 0)
        return len;
    if (valve->passed < valve->rate_from)
        return least(len, valve->rate_from - valve->passed);
    if (valve->rate_next > now * 1000)
        return 0;
    uint64_t piece = valve->rate / PIECES_PER_SECOND;
    return least(len, piece > 0 ? piece : 1);
}

/* So many bytes have taken their time. */
static void note_passed(struct valve *valve, size_t len)
{
    uint64_t now = uv_now(valve->loop) * 1000;
    bool rated = valve->rate > 0 && valve->passed >= valve->rate_from;
    valve->passed += len;
    if (rated)
        valve->rate_next = (valve->rate_next > now ? valve->rate_next : now) +
                           (uint64_t)len * 1000000 / valve->rate;
}

static bool may_end(struct valve *valve)
{
    uint64_t now = uv_now(valve->loop);
    while (shut_until(valve) <= now && begin_pause(valve))
        ;
    return shut_until(valve) <= now;
}

/* Lets out what may go of BYTES, which are next; returns how many, or SIZE_MAX: on_out reset us. */
static size_t let_out(struct valve *valve, struct slice bytes)
{
    size_t at = 0;
    unsigned int resets = valve->resets;
    while (!valve->done) {
        size_t len = bytes.len > at ? allowed(valve, bytes.len - at) : 0;
        bool all = at + len == bytes.len;
        bool last = all && valve->ended && (len > 0 || may_end(valve));
        /* A pause behind the last byte comes before the end. */
        if (last && valve->next_pause < valve->n_pauses && len > 0)
            last = false;
        if (len == 0 && !last)
            break;
        struct slice out = slice_of(len > 0 ? bytes.data + at : "", len);
        at += len;
        note_passed(valve, len);
        valve->done = last;
        valve->on_out(valve, out, last);
        if (valve->resets != resets)
            return SIZE_MAX;
    }
    return at;
}

static void on_timer(uv_timer_t *timer);

static void on_timer_closed(uv_handle_t *handle)
{
    struct valve *valve = handle->data;
    valve->live = false;
    valve->on_closed(valve);
}

static void wait(struct valve *valve)
{
    uint64_t now = uv_now(valve->loop), due = shut_until(valve);
    bool waits = !valve->done && (valve_queued(valve) > 0 || valve->ended);
    if (!waits)
        return;
    if (due <= now)
        due = valve->rate_next / 1000 + 1;
    if (!valve->live) {
        uv_timer_init(valve->loop, &valve->timer);
        valve->timer.data = valve;
        valve->live = true;
    }
    uv_timer_start(&valve->timer, on_timer, due > now ? due - now : 1, 0);
}

/* False: on_out reset us. */
static bool let_queue_out(struct valve *valve)
{
    struct buf queue = valve->queue;
    size_t taken = valve->taken;
    buf_init(&valve->queue, queue.max); /* a reset within on_out frees nothing that is in use */
    valve->taken = 0;
    const char *rest = queue.len > 0 ? queue.data + taken : NULL;
    size_t out = let_out(valve, slice_of(rest, queue.len - taken));
    if (out == SIZE_MAX) {
        buf_deinit(&queue);
        return false;
    }
    valve->queue = queue;
    valve->taken = taken + out;
    if (valve->taken >= queue.len / 2) { /* moved so rarely that it costs nothing */
        buf_consume(&valve->queue, valve->taken);
        valve->taken = 0;
    }
    return true;
}

static void on_timer(uv_timer_t *timer)
{
    struct valve *valve = timer->data;
    if (let_queue_out(valve))
        wait(valve);
    valve->on_moved(valve);
}

void valve_open_gate(struct valve *valve, struct valve_gate *gate)
{
    gate->open = true;
    if (!valve->live)
        return;
    /* Not within the call: who opens it may be in the middle of something. */
    uv_timer_start(&valve->timer, on_timer, 0, 0);
}

int valve_put(struct valve *valve, struct slice bytes, bool last)
{
    size_t out = 0;
    valve->put += bytes.len;
    valve->ended = last;
    if (valve_queued(valve) == 0)
        out = let_out(valve, bytes);
    if (out == SIZE_MAX)
        return 0;
    int err = buf_append(&valve->queue, bytes.data + out, bytes.len - out);
    if (!err)
        wait(valve);
    return err;
}

void valve_close(struct valve *valve)
{
    valve_reset(valve);
    if (valve->live && !uv_is_closing((uv_handle_t *)&valve->timer))
        uv_close((uv_handle_t *)&valve->timer, on_timer_closed);
}
