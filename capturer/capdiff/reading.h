/*
 * The captures of one run, read side by side: a slice of each at a time, each in a thread of its
 * own, so that what they have in common can be settled before it fills the memory.
 *
 * The slices are as long as takes all files to their ends at the same time. Where one has come
 * further by the clock than the others all the same, it waits for them.
 */
#ifndef CAPDIFF_READING_H
#define CAPDIFF_READING_H

#include "capturer/capdiff/evidence.h"

struct reading {
    uint64_t round;            /* bytes of all captures together that are read at a time */
    struct evidence *evidence; /* its recordings are open */
    unsigned ahead[SOURCES];   /* rounds that each has been ahead of the others */
};

/* ROUND: bytes of all captures together that are read at a time; 0: what is best. */
void reading_begin(struct reading *reading, struct evidence *evidence, uint64_t round);

/* Reads one slice of each. False: all of them are over. */
bool reading_round(struct reading *reading);

void reading_end(struct reading *reading);

#endif
