/*
 * Heads that were read before need not be read again: what a head says depends on its bytes alone.
 *
 * On a busy connection most heads are the same to the byte. Only heads that leave nothing open are
 * kept: the body's length is known from them, the connection goes on behind it, and they came
 * without anything before them.
 */
#ifndef CAPDIFF_HEAD_CACHE_H
#define CAPDIFF_HEAD_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

#define HEAD_CACHE_LENGTH_MAX 2048 /* bytes of a head that is kept */

/* What reading goes by. */
struct head_facts {
    int status;           /* of a response; 0: it is the head of a request */
    bool head_request;    /* the response has no body */
    bool connect_request; /* 2xx makes the connection a tunnel */
    bool upgrade;         /* asks for another protocol, CONNECT included */
    bool sized;           /* the body's length is known: */
    uint64_t body;
};

struct head_cache;

struct head_cache *head_cache_new(void);
void head_cache_free(struct head_cache *cache);

/*
 * The facts of the head that DATA begins with, and its length in *LEN; NULL: not known, or not
 * whole. It may be a request's or a response's. Valid until the next head_cache_put. *GUESS, of
 * whoever asks, is 0 at first: the head that he found last is tried first.
 */
const struct head_facts *head_cache_find(
    const struct head_cache *cache, struct slice data, size_t *len, unsigned *guess);

/* Keeps a copy of HEAD, perhaps in the place of another one. Too long ones are not kept. */
void head_cache_put(struct head_cache *cache, struct slice head, const struct head_facts *facts);

#endif
