#include "floods.h"

#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define PROXY 0xac100003u
#define SERVER 0xac100002u
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
