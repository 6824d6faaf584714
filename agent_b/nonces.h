/*
 * Nonces that were seen, each for as long as its message would still be taken. Memory is bounded:
 * when it is full of live ones, a new one is not taken, since to forget one would let it in again.
 */
#ifndef AGENT_B_NONCES_H
#define AGENT_B_NONCES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/slice.h"

struct nonces;

enum nonces_result {
    NONCES_NEW,
    NONCES_SEEN,
    NONCES_FULL,
};

/* Room for CAPACITY live nonces. NULL when there is no memory. */
struct nonces *nonces_new(size_t capacity);
void nonces_free(struct nonces *nonces);

/* Remembers NONCE through the second UNTIL. NOW and UNTIL never go back between two calls. */
enum nonces_result nonces_add(
    struct nonces *nonces, struct slice nonce, int64_t now, int64_t until);

#endif
