#include "capturer/capdiff/hash.h"

#include <sys/random.h>

/* Digits of pi. */
uint64_t hash_secret[4] = {
    0x243f6a8885a308d3u, 0x13198a2e03707344u, 0xa4093822299f31d0u, 0x082efa98ec4e6c89u};

void hash_begin(void)
{
    uint64_t drawn[4];

    if (getrandom(drawn, sizeof(drawn), 0) == (ssize_t)sizeof(drawn))
        memcpy(hash_secret, drawn, sizeof(drawn));
}
