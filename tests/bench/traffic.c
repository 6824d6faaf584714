#include "traffic.h"

#include <stdbool.h>
#include <stdlib.h>

#include "calls.h"

#define CLIENTS 0x0a000000u /* 10.0.0.0 */
#define PROXY 0xac100003u   /* 172.16.0.3 and up, to the server */
#define SERVER 0xac100002u
#define STORE 0xac120002u
#define PORTS 50000 /* of one address */
#define FIRST_PORT 10000
#define POOL 16
#define MIX_MAX ((size_t)1000000)

/* What belongs to one connection of a client. */
struct way {
    struct leg client, upstream, behind;
};

struct run {
    const struct traffic *traffic;
    FILE *log;
    char *buffer;
    struct way *ways;
    long number; /* of the next call */
    long pool;   /* connections to the server, where the proxy pools */
    uint64_t dice;
};

static struct leg leg_between(
    uint32_t clients, uint32_t server, uint16_t server_port, long at, unsigned places)
{
    uint32_t number = (uint32_t)at;

    return (struct leg){
        .address = {clients + number / PORTS, server},
        .port = {(uint16_t)(FIRST_PORT + number % PORTS), server_port},
        .next = {number * 7919 + server_port, number * 104729 + clients},
        .places = places,
    };
}

/* TO_SERVER: the client's calls have a connection of their own to the server. */
static void open_way(struct way *way, const struct traffic *traffic, long at, bool to_server)
{
    long ports = (traffic->manner & TRAFFIC_REUSED) != 0 ? 0 : at;

    way->client = leg_between(CLIENTS, PROXY, 8080, ports, AT_PROXY);
    way->upstream = leg_between(PROXY, SERVER, 8000, ports, AT_PROXY | AT_SERVER);
    way->behind = leg_between(SERVER, STORE, 9000, ports, AT_SERVER);
    for (int side = 0; side < 2 && ports != at; side++) {
        way->client.next[side] += (uint32_t)at * 100003;
        way->upstream.next[side] += (uint32_t)at * 100003;
    }
    wire_shake_hands(&way->client);
    if (to_server)
        wire_shake_hands(&way->upstream);
    if ((traffic->manner & TRAFFIC_BEHIND) != 0)
        wire_shake_hands(&way->behind);
}

static void close_way(struct way *way, const struct traffic *traffic)
{
    if ((traffic->manner & TRAFFIC_LIVE) != 0)
        return;
    wire_say_goodbye(&way->client);
    if ((traffic->manner & TRAFFIC_POOLED) == 0)
        wire_say_goodbye(&way->upstream);
    if ((traffic->manner & TRAFFIC_BEHIND) != 0)
        wire_say_goodbye(&way->behind);
}

static size_t size_of(struct run *run)
{
    static const struct {
        unsigned until; /* of 1000 */
        size_t size;
    } mix[] = {{500, 200}, {800, 2000}, {950, 16000}, {999, 100000}, {1000, MIX_MAX}};
    size_t i = 0;

    if ((run->traffic->manner & TRAFFIC_MIXED) == 0)
        return run->traffic->body > BODY_MIN ? run->traffic->body : BODY_MIN;
    run->dice = run->dice * 6364136223846793005u + 1442695040888963407u;
    while ((run->dice >> 33) % 1000 >= mix[i].until)
        i++;
    return mix[i].size;
}

static void say(struct run *run, struct leg *leg, enum call_part part, const struct body *body)
{
    int side = part == CALL_RESPONSE || part == CALL_BEHIND_RESPONSE;
    size_t len;
    const char *message = call_message(run->buffer, part, body, &len);

    run->traffic->send(leg, side, message, len);
}

static struct body next_body(struct run *run)
{
    bool equal = (run->traffic->manner & TRAFFIC_EQUAL) != 0;
    struct body body = {run->traffic->kind, size_of(run), equal ? 0 : run->number, false};

    run->number++;
    return body;
}

static void ask_upstream(struct run *run, struct leg *upstream, struct body body)
{
    unsigned manner = run->traffic->manner;

    body.changed = (manner & TRAFFIC_CHANGED) != 0;
    say(run, upstream, (manner & TRAFFIC_RENAMED) != 0 ? CALL_RENAMED : CALL_REQUEST, &body);
}

static void answer(struct run *run, struct leg *leg, const struct body *body)
{
    say(run, leg, CALL_RESPONSE, body);
    wire_send(leg, 0, WIRE_ACK, "", 0);
}

static void call_behind(struct run *run, struct leg *behind, const struct body *body)
{
    say(run, behind, CALL_BEHIND, body);
    say(run, behind, CALL_BEHIND_RESPONSE, body);
    wire_send(behind, 0, WIRE_ACK, "", 0);
}

static void call_upstream(struct run *run, struct way *way, const struct body *body)
{
    ask_upstream(run, &way->upstream, *body);
    if ((run->traffic->manner & TRAFFIC_BEHIND) != 0)
        call_behind(run, &way->behind, body);
    answer(run, &way->upstream, body);
}

static void call(struct run *run, struct way *way, struct way *onward)
{
    struct body body = next_body(run);
    struct call_record record = {wire_now_us(), &way->client, &onward->upstream, body,
        (run->traffic->manner & TRAFFIC_RENAMED) != 0};

    say(run, &way->client, CALL_REQUEST, &body);
    call_upstream(run, onward, &body);
    if ((run->traffic->manner & TRAFFIC_REPEATED) != 0)
        call_upstream(run, onward, &body);
    answer(run, &way->client, &body);
    if (run->log != NULL)
        call_log(run->log, &record);
}

/* All requests of a connection, and then all responses. */
static void call_pipelined(struct run *run, struct way *way)
{
    long first = run->number;

    for (long n = 0; n < run->traffic->exchanges; n++) {
        struct body body = next_body(run);

        say(run, &way->client, CALL_REQUEST, &body);
        ask_upstream(run, &way->upstream, body);
    }
    run->number = first;
    for (long n = 0; n < run->traffic->exchanges; n++) {
        struct body body = next_body(run);

        answer(run, &way->upstream, &body);
        answer(run, &way->client, &body);
    }
}

/* A request that is never ended. */
static void half_a_call(struct run *run, struct way *way)
{
    const struct body body = {BODY_TOOL, BODY_MIN, run->number, false};
    size_t len;
    const char *message = call_message(run->buffer, CALL_REQUEST, &body, &len);

    wire_send(&way->client, 0, WIRE_ACK, message, len / 2);
    wire_send(&way->upstream, 0, WIRE_ACK, message, len / 2);
}

static void call_in_turns(struct run *run, long count)
{
    bool pooled = (run->traffic->manner & TRAFFIC_POOLED) != 0;

    for (long n = 0; n < run->traffic->exchanges; n++) {
        for (long i = 0; i < count; i++)
            call(run, &run->ways[i], &run->ways[pooled ? run->number % run->pool : i]);
    }
}

static void call_all(struct run *run, long count)
{
    unsigned manner = run->traffic->manner;

    if ((manner & TRAFFIC_PIPELINED) == 0)
        call_in_turns(run, count);
    for (long i = 0; i < count && (manner & TRAFFIC_PIPELINED) != 0; i++)
        call_pipelined(run, &run->ways[i]);
    for (long i = 0; i < count && (manner & TRAFFIC_HALF) != 0; i++)
        half_a_call(run, &run->ways[i]);
}

/* Those that the proxy pools stay, and their places with them. */
static void open_all(struct run *run, long first, long count)
{
    bool pooled = (run->traffic->manner & TRAFFIC_POOLED) != 0;

    for (long i = 0; i < count; i++) {
        struct leg kept = run->ways[i].upstream;

        open_way(&run->ways[i], run->traffic, first + i, !pooled || first + i < run->pool);
        if (pooled && first > 0)
            run->ways[i].upstream = kept;
    }
}

long traffic_make(const struct traffic *traffic, FILE *log)
{
    struct run run = {.traffic = traffic, .log = log};
    long count;

    run.pool = traffic->together < POOL ? traffic->together : POOL;
    run.buffer = malloc(call_room(traffic->body > MIX_MAX ? traffic->body : MIX_MAX));
    run.ways = calloc((size_t)traffic->together, sizeof(*run.ways));
    if (run.buffer == NULL || run.ways == NULL)
        exit(1);
    for (long first = 0; first < traffic->connections; first += count) {
        count = traffic->connections - first;
        if (count > traffic->together)
            count = traffic->together;
        open_all(&run, first, count);
        call_all(&run, count);
        for (long i = 0; i < count; i++)
            close_way(&run.ways[i], traffic);
    }
    free(run.ways);
    free(run.buffer);
    return run.number;
}
