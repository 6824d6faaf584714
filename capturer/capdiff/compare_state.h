/*
 * What the rooms of the comparison hand to each other: compare (messages, bodies), compare_head
 * (heads and trailers, line by line), compare_framing (how bodies are framed), compare_json (their
 * content, by pointer).
 */
#ifndef CAPDIFF_COMPARE_STATE_H
#define CAPDIFF_COMPARE_STATE_H

#include "capturer/capdiff/compare.h"
#include "capturer/capdiff/message_view.h"

struct comparison {
    const struct message *before, *after;
    struct message_view view_before, view_after;
    bool response;
    const struct compare_terms *terms;
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
    bool unnamed; /* the judge is not told the name: it would take it for something else */
};

/* The place, until the next one is added, if it counts and is told in detail; else NULL. */
struct place *comparison_add(struct comparison *comparison, enum place_kind kind, uint64_t offset,
    const struct place_texts *texts, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* "request" or "response". */
const char *comparison_side(const struct comparison *comparison);

/* Compares the heads, interim ones included, line by line. Both messages have one. */
void compare_heads(struct comparison *comparison);

/* Compares two trailer sections, without the empty lines that end them. */
void compare_trailers(struct comparison *comparison, struct slice before, struct slice after);

/* Compares how two whole bodies are framed: their trailers, and all else if SAME_CONTENT. */
void compare_framing(struct comparison *comparison, bool same_content);

/* True if both contents are JSON and all that differs between them has been told by pointer. */
bool compare_json(struct comparison *comparison, struct slice before, struct slice after);

#endif
