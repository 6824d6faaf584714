/*
 * What the rooms of the comparison hand to each other: compare (messages, bodies), compare_head
 * (heads and trailers, line by line), compare_framing (how bodies are framed), compare_json (their
 * content, by pointer).
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

/* Compares two trailer sections, without the empty lines that end them. */
void compare_trailers(struct comparison *comparison, struct slice before, struct slice after);

/* The value of the last field of that name in a message's last head; absent: none. */
struct slice compare_head_field(const struct message *message, const char *name);

/*
 * Compares two bodies as they were on the wire, whose trailers differ, or something else about
 * their framing if SAME_CONTENT.
 */
void compare_framing(
    struct comparison *comparison, struct slice before, struct slice after, bool same_content);

/* True if both contents are JSON and all that differs between them has been told by pointer. */
bool compare_json(struct comparison *comparison, struct slice before, struct slice after);

#endif
