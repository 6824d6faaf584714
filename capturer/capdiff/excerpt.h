/*
 * Bytes that came from the network, as text that is safe on a terminal and in JSON.
 */
#ifndef CAPDIFF_EXCERPT_H
#define CAPDIFF_EXCERPT_H

#include <stddef.h>

#include "lib/slice.h"

#define EXCERPT_BEFORE 48 /* bytes shown before the place */
#define EXCERPT_AFTER 96  /* bytes shown from the place on */

/*
 * What stands around byte AT of TEXT. Controls (C1 among them), backslashes, and bytes that are no
 * UTF-8 are escaped; "…" stands where text was left out. NULL for absent text. The caller frees.
 */
char *excerpt_around(struct slice text, size_t at);

/* All of TEXT, cut after MAX bytes. */
char *excerpt_text(struct slice text, size_t max);

/* The first byte in which two texts differ: the length of the shorter one if it begins the other.
 */
size_t excerpt_first_difference(struct slice a, struct slice b);

#endif
