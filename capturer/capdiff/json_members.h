/*
 * The members of two JSON objects, by decoded key: which is which, and which keys two readers may
 * understand differently (RFC 8259 §4: what a key that stands twice means is not defined).
 */
#ifndef CAPDIFF_JSON_MEMBERS_H
#define CAPDIFF_JSON_MEMBERS_H

#include "lib/buf.h"
#include "lib/json_text.h"

#define JSON_NO_MEMBER ((size_t)-1)

struct json_member {
    int value;
    size_t place;     /* in its object */
    struct slice key; /* decoded */
    size_t match;     /* the place of its counterpart, or JSON_NO_MEMBER */
    bool repeated;    /* the object has this key more than once */
    bool shadowed;    /* and this is not the last of them */
    bool variant;     /* the object has one that differs in ASCII case only */
};

struct json_members {
    struct json_member *items; /* in the order of the text */
    struct json_member **sorted;
    size_t count;
    bool repeated; /* any of them */
    struct buf decoded;
};

void json_members_init(struct json_members *members, const struct json_text *json, int object);
void json_members_deinit(struct json_members *members);

/* Sets match on both sides: the k-th of a key is the k-th. */
void json_members_match(struct json_members *a, struct json_members *b);

#endif
