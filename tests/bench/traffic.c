#include "traffic.h"

#include <stdbool.h>
#include <stdlib.h>

#include "calls.h"

#define CLIENTS 0x0a000000u /* 10.0.0.0 */
#define PROXY_IN 0xac100003u
#define PROXY_OUT 0xac110000u /* 172.17.0.0 */
#define SERVER 0xac100002u
#define STORE 0xac120002u
#define PORTS 50000 /* of one address */
#define FIRST_PORT 10000
#define POOL 16
#define BODY_MAX ((size_t)1000000)

/* What belongs to one connection of a client. */
struct way {
    struct leg client, upstream, behind;
};

struct run {
    const struct traffic *traffic;
    FILE *log;
    char *message;
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

    way->client = leg_between(CLIENTS, PROXY_IN, 8080, ports, AT_PROXY);
    way->upstream = leg_between(PROXY_OUT, SERVER, 8000, ports, AT_PROXY | AT_SERVER);
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

static size_t body_of(struct run *run)
{
    static const struct {
        unsigned until; /* of 1000 */
        size_t body;
    } mix[] = {{500, 200}, {800, 2000}, {950, 16000}, {999, 100000}, {1000, BODY_MAX}};
    size_t i = 0;

    if ((run->traffic->manner & TRAFFIC_MIXED) == 0)
        return run->traffic->body > CALL_BODY_MIN ? run->traffic->body : CALL_BODY_MIN;
    run->dice = run->dice * 6364136223846793005u + 1442695040888963407u;
    while ((run->dice >> 33) % 1000 >= mix[i].until)
        i++;
    return mix[i].body;
}

static void say(struct run *run, struct leg *leg, enum call_part part, long number, size_t body)
{
    int side = part == CALL_RESPONSE || part == CALL_BEHIND_RESPONSE;

    run->traffic->send(leg, side, run->message, call_message(run->message, part, number, body));
}

static void call_behind(struct run *run, struct leg *leg, long number, size_t body)
{
    say(run, leg, CALL_BEHIND, number, body);
    say(run, leg, CALL_BEHIND_RESPONSE, number, body);
    wire_send(leg, 0, WIRE_ACK, "", 0);
}

static void call_upstream(struct run *run, struct way *way, long number, size_t body)
{
    unsigned manner = run->traffic->manner;

    say(run, &way->upstream, (manner & TRAFFIC_CHANGED) != 0 ? CALL_CHANGED_REQUEST : CALL_REQUEST,
        number, body);
    if ((manner & TRAFFIC_BEHIND) != 0)
        call_behind(run, &way->behind, number, body);
    say(run, &way->upstream, CALL_RESPONSE, number, body);
    wire_send(&way->upstream, 0, WIRE_ACK, "", 0);
}

static void call(struct run *run, struct way *way, struct way *onward)
{
    unsigned manner = run->traffic->manner;
    long number = (manner & TRAFFIC_EQUAL) != 0 ? 0 : run->number;
    size_t body = body_of(run);
    struct call_record record = {run->number, wire_now_us(), &way->client, &onward->upstream, body,
        (manner & TRAFFIC_CHANGED) != 0};

    say(run, &way->client, CALL_REQUEST, number, body);
    call_upstream(run, onward, number, body);
    if ((manner & TRAFFIC_REPEATED) != 0)
        call_upstream(run, onward, number, body);
    say(run, &way->client, CALL_RESPONSE, number, body);
    wire_send(&way->client, 0, WIRE_ACK, "", 0);
    if (run->log != NULL)
        call_log(run->log, &record);
    run->number++;
}

/* A request that is never ended. */
static void half_a_call(struct run *run, struct way *way)
{
    size_t len = call_message(run->message, CALL_REQUEST, run->number, run->traffic->body) / 2;

    wire_send(&way->client, 0, WIRE_ACK, run->message, len);
    wire_send(&way->upstream, 0, WIRE_ACK, run->message, len);
}

static void call_all(struct run *run, long count)
{
    bool pooled = (run->traffic->manner & TRAFFIC_POOLED) != 0;

    for (long n = 0; n < run->traffic->exchanges; n++) {
        for (long i = 0; i < count; i++)
            call(run, &run->ways[i], pooled ? &run->ways[run->number % run->pool] : &run->ways[i]);
    }
    for (long i = 0; i < count && (run->traffic->manner & TRAFFIC_HALF) != 0; i++)
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
    size_t body = traffic->body > BODY_MAX ? traffic->body : BODY_MAX;
    struct run run = {.traffic = traffic, .log = log};
    long count;

    run.pool = traffic->together < POOL ? traffic->together : POOL;
    run.message = malloc(body + CALL_HEAD_MAX);
    run.ways = calloc((size_t)traffic->together, sizeof(*run.ways));
    if (run.message == NULL || run.ways == NULL)
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
    free(run.message);
    return run.number;
}
