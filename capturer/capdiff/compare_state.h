/*
 * What the rooms of the comparison hand to each other: compare (bodies), compare_head (heads).
 */
#ifndef CAPDIFF_COMPARE_STATE_H
#define CAPDIFF_COMPARE_STATE_H

#include "capturer/capdiff/compare.h"

struct comparison {
    const struct message *before, *after;
    bool response;
    compare_judge_cb judge;
    void *arg;
    struct places *places;
};

/*
 * Adds a place. TEXT is a copy for the place to keep; NAME may be absent; VALUE_* is what the judge
 * is asked about, SHOWN_* what people see a piece of, around byte AT_*.
 */
struct place_texts {
    struct slice name;
    struct slice value_before, value_after;
    struct slice shown_before, shown_after;
    size_t at_before, at_after;
    enum place_change change;
    const char *note;
    char *patch;  /* the place takes it over */
    bool unnamed; /* the judge is not told the name: it would take it for something else */
};
void comparison_add(struct comparison *comparison, enum place_kind kind, uint64_t offset,
    const struct place_texts *texts, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "request" or "response". */
const char *comparison_side(const struct comparison *comparison);

/* Compares the heads, interim ones included, line by line. Both messages have one. */
void compare_heads(struct comparison *comparison);

#endif
