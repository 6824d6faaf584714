/*
 * The ways in which a message may be cut into segments, from the usual one to those that cost a
 * reader most. None of them changes the stream.
 */
#ifndef BENCH_SEGMENTS_H
#define BENCH_SEGMENTS_H

#include "wire.h"

/* Sends LEN bytes from SIDE and has them acknowledged; the leg moves on. */
typedef void (*segments_cb)(struct leg *leg, int side, const char *data, size_t len);

/* One packet where that is possible, else full segments with an acknowledgement of every other. */
void segments_plain(struct leg *leg, int side, const char *data, size_t len);

/* Four segments: the second, the first, the fourth, the third. */
void segments_swapped(struct leg *leg, int side, const char *data, size_t len);

/* Every segment twice. */
void segments_twice(struct leg *leg, int side, const char *data, size_t len);

/* Each segment begins in the middle of the one before. */
void segments_overlapping(struct leg *leg, int side, const char *data, size_t len);

/* A byte each. */
void segments_of_one(struct leg *leg, int side, const char *data, size_t len);

/* A byte each, and out of order: every other one, then those between, and the first at last. */
void segments_combed(struct leg *leg, int side, const char *data, size_t len);

/* The first segment is recorded everywhere, the others not at the server. */
void segments_missing(struct leg *leg, int side, const char *data, size_t len);

#endif
