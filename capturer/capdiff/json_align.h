/*
 * The elements of two JSON arrays: which is which.
 *
 * Equal texts first, in the longest common order; then, between those, objects with the same "id",
 * or with the same keys; what is left is taken by its place. The table for that has a maximum for a
 * whole document: beyond it only elements that stand once in each array are found again, and the
 * others go by their place.
 */
#ifndef CAPDIFF_JSON_ALIGN_H
#define CAPDIFF_JSON_ALIGN_H

#include <stdint.h>

#include "lib/json_text.h"

#define JSON_ALIGN_CELLS_MAX ((size_t)4 * 1024 * 1024) /* pairs of elements that are weighed */
#define JSON_NO_ELEMENT ((size_t)-1)

struct json_element {
    int value;
    struct slice text;
    uint64_t hash;   /* of the text */
    uint64_t shape;  /* of an object's keys, in any order; 0: no object */
    struct slice id; /* the text of its member "id"; absent: none */
    size_t match;    /* the index of its counterpart, or JSON_NO_ELEMENT; in the same order */
};

struct json_elements {
    struct json_element *items;
    size_t count;
};

void json_elements_init(struct json_elements *elements, const struct json_text *json, int array);
void json_elements_deinit(struct json_elements *elements);

/* Sets match on both sides. CELLS is what is left for the document. False: it was not enough. */
bool json_align(struct json_elements *a, struct json_elements *b, size_t *cells);

#endif
