/*
 * Keyed hashes of 64 bits, for tables: 16 bytes at a time are multiplied with a secret of the run,
 * so that nobody can make bytes that meet in one bucket. What a table finds is compared byte by
 * byte afterwards.
 */
#ifndef CAPDIFF_HASH_H
#define CAPDIFF_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_START 0xcbf29ce484222325u

__extension__ typedef unsigned __int128 hash_product;

/* Random from hash_begin on; before, it is the same in every run, which is good enough for tests.
 */
extern uint64_t hash_secret[4];

/* Draws the secret. To be called before anything is hashed. */
void hash_begin(void);

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    hash_product product = (hash_product)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_word(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* The last bytes of something: fewer than 16, as two words. */
static inline uint64_t hash_tail(uint64_t hash, const uint8_t *at, size_t len)
{
    uint64_t words[2] = {0, 0};

    memcpy(words, at, len);
    return hash_mix(words[0] ^ hash_secret[1], words[1] ^ hash);
}

static inline uint64_t hash_fast(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t a = hash_secret[0] ^ len, b = hash_secret[2];

    for (; len >= 32; at += 32, len -= 32) {
        a = hash_mix(hash_word(at) ^ hash_secret[1], hash_word(at + 8) ^ a);
        b = hash_mix(hash_word(at + 16) ^ hash_secret[3], hash_word(at + 24) ^ b);
    }
    if (len >= 16) {
        a = hash_mix(hash_word(at) ^ hash_secret[1], hash_word(at + 8) ^ a);
        at += 16;
        len -= 16;
    }
    if (len > 0)
        b = hash_tail(b, at, len);
    return hash_mix(a ^ hash_secret[2], b ^ hash_secret[3]);
}

/* Goes on with HASH over LEN more bytes. */
static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    return hash_mix(hash ^ hash_secret[0], hash_fast(data, len) ^ hash_secret[3]);
}

#endif
