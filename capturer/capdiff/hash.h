/*
 * Hashes of 64 bits (the first is FNV-1a): for tables only. Whatever it finds is compared byte by
 * byte afterwards.
 */
#ifndef CAPDIFF_HASH_H
#define CAPDIFF_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_START 0xcbf29ce484222325u

/* Goes on with HASH over LEN more bytes. */
static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

#define HASH_LANES 4

static inline uint64_t hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 32);
}

/* The same purpose, for what is hashed all the time: 32 bytes at a time, in lanes side by side. */
static inline uint64_t hash_fast(const void *data, size_t len)
{
    uint64_t lanes[HASH_LANES] = {len, 1, 2, 3}, word = 0;
    const uint8_t *at = data;

    for (; len >= sizeof(lanes); at += sizeof(lanes), len -= sizeof(lanes)) {
        for (int i = 0; i < HASH_LANES; i++) {
            memcpy(&word, at + (size_t)i * sizeof(word), sizeof(word));
            lanes[i] = hash_mix(lanes[i], word);
        }
    }
    for (; len > 0; at += sizeof(word), len -= sizeof(word)) {
        word = 0;
        memcpy(&word, at, len < sizeof(word) ? len : sizeof(word));
        lanes[0] = hash_mix(lanes[0], word);
        if (len < sizeof(word))
            break;
    }
    for (int i = 1; i < HASH_LANES; i++)
        lanes[0] = hash_mix(lanes[0], lanes[i]);
    return lanes[0];
}

#endif
