/*
 * Bodies of calls, and the fields in front of them: the usual one, and those that cost a reader, or
 * one who compares, most.
 */
#ifndef BENCH_BODIES_H
#define BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>

#define BODY_MIN ((size_t)128)
#define BODY_GROWTH 6 /* bytes on the wire for one of the body, at most */
#define FIELDS_MAX ((size_t)16 * 1024)

enum body_kind {
    BODY_TOOL,    /* a tool call with padding */
    BODY_CHUNKED, /* the same, every byte in a chunk of its own */
    BODY_LIST,    /* a JSON array of numbers; CHANGED: all of them are others */
    BODY_LINES,   /* lines of text; CHANGED: the last comes first */
    BODY_FIELDS,  /* a tool call behind 90 fields; CHANGED: the last comes first */
};

struct body {
    enum body_kind kind;
    size_t size; /* BODY_MIN or more; about that many where it is not BODY_TOOL */
    long number; /* of the call */
    bool changed;
};

/* Writes the body as it is on the wire; OUT has room for BODY_GROWTH times its size. */
size_t body_put(char *out, const struct body *body);

/* Writes fields that go with the body, without its length; OUT has room for FIELDS_MAX. */
size_t body_put_fields(char *out, const struct body *body);

#endif
