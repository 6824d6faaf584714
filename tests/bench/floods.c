#include "floods.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define PROXY 0xac100003u
#define SERVER 0xac100002u
#define BUCKET_MASK 0xffff
#define ROUNDS 25
#define HOLE 1000
#define HELD ((size_t)16 * 1024)

/* Another client every time, and no two alike. */
static struct leg stranger(uint32_t number, unsigned place)
{
    return (struct leg){
        .address = {0xc6000000u | (number * 2654435761u >> 8), place == AT_PROXY ? PROXY : SERVER},
        .port = {(uint16_t)(1024 + number % 60000), place == AT_PROXY ? 8080 : 8000},
        .next = {number * 2246822519u, 0},
        .places = place,
    };
}

static void each(long count, void (*send)(struct leg *leg))
{
    for (long i = 0; i < count; i++) {
        struct leg proxy = stranger((uint32_t)i, AT_PROXY);
        struct leg server = stranger((uint32_t)i, AT_SERVER);

        send(&proxy);
        send(&server);
    }
}

static void send_syn(struct leg *leg)
{
    wire_send(leg, 0, WIRE_SYN, "", 0);
}

void flood_syn(long count)
{
    each(count, send_syn);
}

static void send_stray(struct leg *leg)
{
    wire_send(leg, 0, WIRE_ACK, "neither a request nor a response", 32);
}

void flood_stray(long count)
{
    each(count, send_stray);
}

static void send_behind_hole(struct leg *leg)
{
    static char data[WIRE_MSS];

    memset(data, 'x', sizeof(data));
    wire_shake_hands(leg);
    leg->next[0] += HOLE;
    for (size_t sent = 0; sent < HELD; sent += sizeof(data))
        wire_send(leg, 0, WIRE_ACK, data, sizeof(data));
}

void flood_holes(long count)
{
    each(count, send_behind_hole);
}

void flood_same_ends(long count)
{
    for (long i = 0; i < count; i++) {
        struct leg proxy = stranger(1, AT_PROXY), server = stranger(1, AT_SERVER);

        proxy.next[0] = server.next[0] = (uint32_t)i * 2654435761u;
        send_syn(&proxy);
        send_syn(&server);
    }
}

/* As capdiff's table of connections counts it, or did: no secret is in it. */
static uint64_t endpoint_hash(uint32_t address, uint16_t port)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (int i = 0; i < 16; i++)
        hash = (hash ^ (i < 4 ? address >> (24 - 8 * i) & 255 : 0)) * 0x100000001b3u;
    hash = (hash ^ (port & 255)) * 0x100000001b3u;
    return (hash ^ (uint64_t)(port >> 8)) * 0x100000001b3u;
}

static bool is_in_bucket(const struct leg *leg)
{
    uint64_t hash =
        endpoint_hash(leg->address[0], leg->port[0]) + endpoint_hash(leg->address[1], leg->port[1]);

    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15u;
    return ((hash ^ (hash >> 29)) & BUCKET_MASK) == 0;
}

void flood_one_bucket(long count)
{
    struct leg *legs = calloc((size_t)count, sizeof(*legs));
    long found = 0;

    if (legs == NULL)
        exit(1);
    for (uint32_t number = 1; found < count; number++) {
        legs[found] = stranger(number, AT_PROXY);
        found += is_in_bucket(&legs[found]);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (long i = 0; i < count; i++)
            wire_send(&legs[i], 0, round == 0 ? WIRE_SYN : WIRE_ACK, "", 0);
    }
    free(legs);
}
