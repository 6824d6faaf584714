#include "capturer/capdiff/json_align.h"

#include <stdlib.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/increasing.h"
#include "capturer/capdiff/memory.h"

/* What a pair is worth: one equal element outweighs several that are only alike. */
enum {
    WORTH_NOTHING = 0,
    WORTH_SHAPE = 1,
    WORTH_ID = 6,
    WORTH_EQUAL = 16,
};

/* A part of each array that is to be aligned. */
struct stretch {
    struct json_element *a, *b;
    size_t from_a, to_a, from_b, to_b;
};

static void take_members(struct json_element *element, const struct json_text *json, int object)
{
    element->shape = HASH_START;
    for (int i = json_text_first(json, object); i >= 0; i = json_text_next(json, i)) {
        struct slice key = json_text_key(json, i);

        element->shape += hash_bytes(HASH_START, key.data, key.len);
        if (slice_is(key, "\"id\""))
            element->id = json_text_raw(json, i);
    }
}

void json_elements_init(struct json_elements *elements, const struct json_text *json, int array)
{
    elements->count = 0;
    for (int i = json_text_first(json, array); i >= 0; i = json_text_next(json, i))
        elements->count++;
    elements->items = memory_new(elements->count, sizeof(*elements->items));
    for (int i = json_text_first(json, array), at = 0; i >= 0; i = json_text_next(json, i), at++) {
        struct json_element *element = &elements->items[at];

        element->value = i;
        element->text = json_text_raw(json, i);
        element->hash = hash_bytes(HASH_START, element->text.data, element->text.len);
        element->match = JSON_NO_ELEMENT;
        if (json_text_type(json, i) == JSON_OBJECT)
            take_members(element, json, i);
    }
}

void json_elements_deinit(struct json_elements *elements)
{
    free(elements->items);
}

static bool is_equal(const struct json_element *a, const struct json_element *b)
{
    return a->hash == b->hash && slice_equal(a->text, b->text);
}

static uint32_t worth(const struct json_element *a, const struct json_element *b)
{
    if (is_equal(a, b))
        return WORTH_EQUAL;
    if (a->id.data != NULL && b->id.data != NULL)
        return slice_equal(a->id, b->id) ? WORTH_ID : WORTH_NOTHING;
    return a->shape != 0 && a->shape == b->shape ? WORTH_SHAPE : WORTH_NOTHING;
}

static void join(const struct stretch *stretch, size_t i, size_t j)
{
    stretch->a[i].match = j;
    stretch->b[j].match = i;
}

/* What is equal at both ends needs no table. */
static void trim(struct stretch *stretch)
{
    while (stretch->from_a < stretch->to_a && stretch->from_b < stretch->to_b &&
           is_equal(&stretch->a[stretch->from_a], &stretch->b[stretch->from_b])) {
        join(stretch, stretch->from_a, stretch->from_b);
        stretch->from_a++;
        stretch->from_b++;
    }
    while (stretch->from_a < stretch->to_a && stretch->from_b < stretch->to_b &&
           is_equal(&stretch->a[stretch->to_a - 1], &stretch->b[stretch->to_b - 1])) {
        stretch->to_a--;
        stretch->to_b--;
        join(stretch, stretch->to_a, stretch->to_b);
    }
}

enum step {
    STEP_A, /* the element of A has no counterpart */
    STEP_B,
    STEP_BOTH,
};

/* The steps of the heaviest alignment, from each pair of places to the ends. */
static void fill(const struct stretch *stretch, uint8_t *steps)
{
    size_t rows = stretch->to_a - stretch->from_a, columns = stretch->to_b - stretch->from_b;
    uint32_t *row = memory_new(columns + 1, sizeof(*row));

    for (size_t i = rows; i-- > 0;) {
        uint32_t below = row[columns], diagonal; /* of the row below, at the column to the right */

        for (size_t j = columns; j-- > 0;) {
            uint32_t weight =
                worth(&stretch->a[stretch->from_a + i], &stretch->b[stretch->from_b + j]);
            uint8_t step = row[j] >= row[j + 1] ? STEP_A : STEP_B;
            uint32_t best = step == STEP_A ? row[j] : row[j + 1];

            diagonal = below;
            below = row[j];
            if (weight > 0 && diagonal + weight >= best) {
                step = STEP_BOTH;
                best = diagonal + weight;
            }
            row[j] = best;
            steps[i * columns + j] = step;
        }
    }
    free(row);
}

static void align_by_table(const struct stretch *stretch)
{
    size_t rows = stretch->to_a - stretch->from_a, columns = stretch->to_b - stretch->from_b;
    uint8_t *steps = memory_new(rows * columns, sizeof(*steps));

    fill(stretch, steps);
    for (size_t i = 0, j = 0; i < rows && j < columns;) {
        enum step step = (enum step)steps[i * columns + j];

        if (step == STEP_BOTH)
            join(stretch, stretch->from_a + i, stretch->from_b + j);
        i += step != STEP_B;
        j += step != STEP_A;
    }
    free(steps);
}

/* An element of either array, to find those that stand once in each. */
struct sighting {
    uint64_t hash;
    size_t index;
    bool in_b;
};

static int by_hash(const void *left, const void *right)
{
    const struct sighting *a = left, *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->in_b - b->in_b;
}

/* For each element of A that stands once in both: its index in B; else JSON_NO_ELEMENT. */
static size_t *find_unique(const struct stretch *stretch)
{
    size_t rows = stretch->to_a - stretch->from_a, columns = stretch->to_b - stretch->from_b;
    size_t *unique = memory_new(rows, sizeof(*unique)), count = 0;
    struct sighting *seen = memory_new(rows + columns, sizeof(*seen));

    for (size_t i = 0; i < rows; i++) {
        unique[i] = JSON_NO_ELEMENT;
        seen[count++] = (struct sighting){stretch->a[stretch->from_a + i].hash, i, false};
    }
    for (size_t j = stretch->from_b; j < stretch->to_b; j++)
        seen[count++] = (struct sighting){stretch->b[j].hash, j, true};
    qsort(seen, count, sizeof(*seen), by_hash);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && seen[end].hash == seen[i].hash;)
            end++;
        if (end - i == 2 && !seen[i].in_b && seen[i + 1].in_b &&
            is_equal(&stretch->a[stretch->from_a + seen[i].index], &stretch->b[seen[i + 1].index]))
            unique[seen[i].index] = seen[i + 1].index;
    }
    free(seen);
    return unique;
}

/* Joins the longest run of them that is in the same order on both sides. */
static void join_increasing(const struct stretch *stretch, const size_t *unique)
{
    size_t rows = stretch->to_a - stretch->from_a;
    bool *in = memory_new(rows, sizeof(*in));

    increasing_find(unique, rows, in); /* JSON_NO_ELEMENT is INCREASING_NONE */
    for (size_t i = 0; i < rows; i++) {
        if (in[i])
            join(stretch, stretch->from_a + i, unique[i]);
    }
    free(in);
}

static bool align_stretch(struct stretch *stretch, size_t *cells)
{
    size_t rows, columns;

    trim(stretch);
    rows = stretch->to_a - stretch->from_a;
    columns = stretch->to_b - stretch->from_b;
    if (rows == 0 || columns == 0)
        return true;
    if (columns > *cells / rows)
        return false;
    *cells -= rows * columns;
    align_by_table(stretch);
    return true;
}

/* Calls for each stretch that has no counterpart yet, between those that have. */
static bool align_between(struct stretch *whole, size_t *cells)
{
    struct stretch gap = *whole;
    bool enough = true;

    for (size_t i = whole->from_a; i <= whole->to_a; i++) {
        if (i < whole->to_a && whole->a[i].match == JSON_NO_ELEMENT)
            continue;
        gap.to_a = i;
        gap.to_b = i < whole->to_a ? whole->a[i].match : whole->to_b;

        size_t next_b = gap.to_b + 1;

        enough = align_stretch(&gap, cells) && enough;
        gap.from_a = i + 1;
        gap.from_b = next_b;
    }
    return enough;
}

/* Between two elements that have counterparts, the k-th left over is the k-th. */
static void join_left_over(struct json_elements *a, struct json_elements *b)
{
    struct stretch all = {a->items, b->items, 0, a->count, 0, b->count};
    size_t i = 0, j = 0;

    while (i < a->count && j < b->count) {
        if (a->items[i].match != JSON_NO_ELEMENT && b->items[j].match != JSON_NO_ELEMENT) {
            i++;
            j++;
        } else if (a->items[i].match != JSON_NO_ELEMENT) {
            j++;
        } else if (b->items[j].match != JSON_NO_ELEMENT) {
            i++;
        } else {
            join(&all, i++, j++);
        }
    }
}

bool json_align(struct json_elements *a, struct json_elements *b, size_t *cells)
{
    struct stretch all = {a->items, b->items, 0, a->count, 0, b->count};
    bool enough = align_stretch(&all, cells);

    if (!enough) {
        size_t *unique = find_unique(&all);

        join_increasing(&all, unique);
        free(unique);
        enough = align_between(&all, cells);
    }
    join_left_over(a, b);
    return enough;
}
