/*
 * IP fragments → the payloads they were cut from (RFC 791 §3.2, RFC 8200 §4.5).
 *
 * Bounded: FRAGMENTS_PACKETS_MAX packets are put together at a time, the oldest goes first, and
 * what has not come within 30 s does not come. Where two pieces have other bytes for the same
 * place, the packet is given up: which of them the receiver took cannot be known. What was given up
 * is counted.
 */
#ifndef CAPDIFF_FRAGMENTS_H
#define CAPDIFF_FRAGMENTS_H

#include "capturer/capdiff/packet.h"

#define FRAGMENTS_PACKETS_MAX 64

struct fragments;

struct fragments *fragments_new(void);
void fragments_free(struct fragments *fragments);

/*
 * Takes a segment of PACKET_FRAGMENT. True: it was the last piece, and *PAYLOAD of *LEN bytes is
 * whole, until the next call; a piece that is recorded twice is taken once.
 */
bool fragments_take(
    struct fragments *fragments, const struct segment *piece, const uint8_t **payload, size_t *len);

/* Pieces of packets that were given up, and of those that are still not whole. */
uint64_t fragments_lost(const struct fragments *fragments);

#endif
