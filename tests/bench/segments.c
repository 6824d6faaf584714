#include "segments.h"

static size_t at_most(size_t len, size_t most)
{
    return len < most ? len : most;
}

/* The bytes from AT on, LEN of them, where the leg will be when all before them was sent. */
static void part(const struct leg *leg, int side, const char *data, size_t at, size_t len)
{
    wire_segment(leg, side, WIRE_ACK, leg->next[side] + (uint32_t)at, data + at, len);
}

static void acknowledge(struct leg *leg, int side, size_t len)
{
    leg->next[side] += (uint32_t)len;
    wire_send(leg, !side, WIRE_ACK, "", 0);
}

void segments_plain(struct leg *leg, int side, const char *data, size_t len)
{
    if (len <= WIRE_MSS) {
        wire_send(leg, side, WIRE_ACK, data, len);
        return; /* the answer acknowledges it */
    }
    for (size_t at = 0, n = 1; at < len; at += WIRE_MSS, n++) {
        wire_send(leg, side, WIRE_ACK, data + at, at_most(len - at, WIRE_MSS));
        if (n % 2 == 0)
            wire_send(leg, !side, WIRE_ACK, "", 0);
    }
}

void segments_swapped(struct leg *leg, int side, const char *data, size_t len)
{
    size_t quarter = len / 4;

    part(leg, side, data, quarter, quarter);
    part(leg, side, data, 0, quarter);
    part(leg, side, data, 3 * quarter, len - 3 * quarter);
    part(leg, side, data, 2 * quarter, quarter);
    acknowledge(leg, side, len);
}

void segments_twice(struct leg *leg, int side, const char *data, size_t len)
{
    size_t half = len / 2;

    for (int i = 0; i < 2; i++)
        part(leg, side, data, 0, half);
    for (int i = 0; i < 2; i++)
        part(leg, side, data, half, len - half);
    acknowledge(leg, side, len);
}

void segments_overlapping(struct leg *leg, int side, const char *data, size_t len)
{
    size_t step = len / 8 + 1;

    for (size_t at = 0; at < len; at += step)
        part(leg, side, data, at, at_most(len - at, 2 * step));
    acknowledge(leg, side, len);
}

void segments_of_one(struct leg *leg, int side, const char *data, size_t len)
{
    for (size_t at = 0; at < len; at++)
        part(leg, side, data, at, 1);
    acknowledge(leg, side, len);
}

void segments_combed(struct leg *leg, int side, const char *data, size_t len)
{
    for (size_t at = 2; at < len; at += 2)
        part(leg, side, data, at, 1);
    for (size_t at = 1; at < len; at += 2)
        part(leg, side, data, at, 1);
    part(leg, side, data, 0, 1);
    acknowledge(leg, side, len);
}

void segments_missing(struct leg *leg, int side, const char *data, size_t len)
{
    unsigned places = leg->places;

    for (size_t at = 0; at < len; at += WIRE_MSS) {
        leg->places = at == 0 ? places : places & ~(unsigned)AT_SERVER;
        wire_send(leg, side, WIRE_ACK, data + at, at_most(len - at, WIRE_MSS));
    }
    leg->places = places;
    wire_send(leg, !side, WIRE_ACK, "", 0);
}
