/*
 * Field lines of two heads, or of two trailer sections: which is which.
 */
#ifndef CAPDIFF_COMPARE_LINES_H
#define CAPDIFF_COMPARE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/slice.h"

#define LINE_NONE ((size_t)-1)

struct line {
    struct slice text;  /* without its end */
    struct slice name;  /* absent for a start line and for the line that ends a head */
    struct slice value; /* without the white space around it */
    size_t place;
    size_t match;  /* the place of its counterpart; LINE_NONE: there is none */
    bool repeated; /* there is one of that name on the other side, but not for this one */
    bool moved;    /* it does not stand in the order of the others */
};

struct lines {
    struct line *items;
    size_t count, room;
};

/* HEADS: each block begins with a start line. Every line ends with CRLF; the last one need not. */
void lines_split(struct lines *lines, struct slice text, bool heads);
void lines_deinit(struct lines *lines);

/*
 * Finds counterparts: equal lines first, then those of the same name in whatever case, each time
 * the k-th is the k-th. Costs n log n.
 */
void lines_match(struct lines *a, struct lines *b);

#endif
