#include "mitm_proxy/counters.h"

#include <string.h>

const double counters_bounds[DURATION_BUCKETS] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30};

static void on_leg_opened(void *state, const struct connection *connection, enum leg leg)
{
    struct counters *counters = state;
    (void)connection;
    if (leg == LEG_CLIENT)
        counters->connections++;
    else
        counters->upstream_connections++;
}

static void on_bytes(void *state, const struct connection *connection, enum leg leg,
    enum direction direction, const uv_buf_t *runs, unsigned int count, uint64_t wall_ns)
{
    struct counters *counters = state;
    (void)connection;
    (void)wall_ns;
    for (unsigned int i = 0; i < count; i++)
        counters->bytes[leg][direction] += runs[i].len;
}

/* The words are fixed and fewer than the table's rows, so that the table never overflows. */
static void count_error(struct counters *counters, const char *word)
{
    for (size_t i = 0; i < COUNTED_ERRORS; i++) {
        if (!counters->errors[i].word)
            counters->errors[i].word = word;
        if (strcmp(counters->errors[i].word, word) == 0) {
            counters->errors[i].count++;
            return;
        }
    }
}

static void count_tunnel(struct counters *counters, const struct tunnel *tunnel)
{
    counters->tunnels++;
    for (int direction = 0; direction < 2; direction++)
        for (int kind = 0; kind < WEBSOCKET_FRAMES; kind++)
            counters->frames[direction][kind] += tunnel->frames[direction].counts[kind];
}

static void on_exchange(void *state, const struct exchange *exchange)
{
    struct counters *counters = state;
    uint64_t us = (exchange->finished_ns - exchange->started_ns) / 1000;
    int class = exchange->status / 100;
    size_t bucket = 0;
    counters->exchanges_by_class[class >= 1 && class <= 5 ? class : 0]++;
    if (exchange->error)
        count_error(counters, exchange->error);
    if (exchange->tunnel) {
        count_tunnel(counters, exchange->tunnel);
        return; /* how long it was open tells nothing of how long calls take */
    }
    while (bucket < DURATION_BUCKETS && (double)us > counters_bounds[bucket] * 1e6)
        bucket++;
    counters->durations[bucket]++;
    counters->duration_sum_us += us;
}

static void on_connection_closed(void *state, const struct connection *connection)
{
    struct counters *counters = state;
    counters->connections_closed += connection->legs[LEG_CLIENT].open;
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
