/*
 * FNV-1a, 64 bits: for tables only. Whatever it finds is compared byte by byte afterwards.
 */
#ifndef CAPDIFF_HASH_H
#define CAPDIFF_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325u

/* Goes on with HASH over LEN more bytes. */
static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

#endif
