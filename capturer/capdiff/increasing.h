/*
 * The longest increasing run of some places: what stayed in order when the others moved.
 */
#ifndef CAPDIFF_INCREASING_H
#define CAPDIFF_INCREASING_H

#include <stdbool.h>
#include <stddef.h>

#define INCREASING_NONE ((size_t)-1) /* a value that is in no run */

/* Sets IN[i] for the values of one longest run; n log n (patience sorting). */
void increasing_find(const size_t *values, size_t count, bool *in);

#endif
