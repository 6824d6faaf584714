/*
 * Which line of a log follows which: the SHA-256 of the line before, without its line feed, for the
 * next one to carry. scripts/verify-log goes the same way.
 *
 * It shows that a line was removed, changed, moved or put in, to whoever has a later line or its
 * hash from elsewhere. Whoever may write the file can make all lines behind a change anew.
 */
#ifndef MITM_PROXY_HASH_CHAIN_H
#define MITM_PROXY_HASH_CHAIN_H

#include <stdint.h>

#include "lib/sha256.h"
#include "lib/slice.h"

struct hash_chain {
    struct sha256 *sha;
    char head[SHA256_HEX_SIZE]; /* of the last line; of none: 64 zeros */
    uint64_t records;           /* added since the start */
};

/* Behind no line. 0 or UV_ENOMEM. */
int hash_chain_init(struct hash_chain *chain);
void hash_chain_deinit(struct hash_chain *chain);

/*
 * Goes on behind the last line of FD, whole or not; what is no regular file, or empty, changes
 * nothing. 0 or UV_E*.
 */
int hash_chain_resume(struct hash_chain *chain, int fd);

/* LINE has been written. */
void hash_chain_add(struct hash_chain *chain, struct slice line);

#endif
