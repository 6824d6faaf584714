#include "mitm_proxy/counters.h"

#include <string.h>

const double counters_bounds[DURATION_BUCKETS] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30};

/* No other thread writes it, so this need not be one step. */
static void add(atomic_ullong *counter, unsigned long long n)
{
    unsigned long long now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

static void on_leg_opened(void *state, const struct connection *connection, enum leg leg)
{
    struct counters *counters = state;
    (void)connection;
    if (leg == LEG_CLIENT)
        add(&counters->connections, 1);
    else
        add(&counters->upstream_connections, 1);
}

static void on_bytes(void *state, const struct connection *connection, enum leg leg,
    enum direction direction, const uv_buf_t *runs, unsigned int count, uint64_t wall_ns)
{
    struct counters *counters = state;
    (void)connection;
    (void)wall_ns;
    for (unsigned int i = 0; i < count; i++)
        add(&counters->bytes[leg][direction], runs[i].len);
}

/* The words are fixed and fewer than the table's rows, so that the table never overflows. */
static void count_error(struct counters *counters, const char *word, unsigned long long n)
{
    for (size_t i = 0; i < COUNTED_ERRORS; i++) {
        if (!counters->errors[i].word)
            counters->errors[i].word = word;
        if (strcmp(counters->errors[i].word, word) == 0) {
            add(&counters->errors[i].count, n);
            return;
        }
    }
}

static void count_tunnel(struct counters *counters, const struct tunnel *tunnel)
{
    add(&counters->tunnels, 1);
    for (int direction = 0; direction < 2; direction++)
        for (int kind = 0; kind < WEBSOCKET_FRAMES; kind++)
            add(&counters->frames[direction][kind], tunnel->frames[direction].counts[kind]);
}

static void on_exchange(void *state, const struct exchange *exchange)
{
    struct counters *counters = state;
    uint64_t us = (exchange->finished_ns - exchange->started_ns) / 1000;
    int class = exchange->status / 100;
    size_t bucket = 0;
    add(&counters->exchanges_by_class[class >= 1 && class <= 5 ? class : 0], 1);
    if (exchange->error)
        count_error(counters, exchange->error, 1);
    if (exchange->tunnel) {
        count_tunnel(counters, exchange->tunnel);
        return; /* how long it was open tells nothing of how long calls take */
    }
    while (bucket < DURATION_BUCKETS && (double)us > counters_bounds[bucket] * 1e6)
        bucket++;
    add(&counters->durations[bucket], 1);
    add(&counters->duration_sum_us, us);
}

static void on_connection_closed(void *state, const struct connection *connection)
{
    struct counters *counters = state;
    add(&counters->connections_closed, connection->legs[LEG_CLIENT].open);
}

struct observer counters_observer(struct counters *counters)
{
    return (struct observer){
        .state = counters,
        .leg_opened = on_leg_opened,
        .bytes = on_bytes,
        .exchange = on_exchange,
        .connection_closed = on_connection_closed,
    };
}

static void add_each(atomic_ullong *sum, const atomic_ullong *more, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(&sum[i], atomic_load_explicit(&more[i], memory_order_relaxed));
}

void counters_add(struct counters *sum, const struct counters *more)
{
    add_each(&sum->connections_closed, &more->connections_closed, 1); /* before those opened */
    add_each(&sum->connections, &more->connections, 1);
    add_each(&sum->upstream_connections, &more->upstream_connections, 1);
    add_each(sum->exchanges_by_class, more->exchanges_by_class, 6);
    for (size_t i = 0; i < COUNTED_ERRORS && more->errors[i].word; i++)
        count_error(sum, more->errors[i].word, more->errors[i].count);
    for (int i = 0; i < 2; i++) {
        add_each(sum->bytes[i], more->bytes[i], 2);
        add_each(sum->frames[i], more->frames[i], WEBSOCKET_FRAMES);
    }
    add_each(&sum->tunnels, &more->tunnels, 1);
    add_each(sum->durations, more->durations, DURATION_BUCKETS + 1);
    add_each(&sum->duration_sum_us, &more->duration_sum_us, 1);
}
