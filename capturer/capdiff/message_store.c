#include "capturer/capdiff/message_store.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"

#define BUCKETS_MIN 1024
#define CHAIN_MAX                                                                                  \
    32 /* bytes that are compared with what has the same hash; then a copy of its own */

static struct {
    struct message_bytes **buckets;
    size_t n_buckets, count;
} store;

static struct message_bytes **bucket_of(uint64_t hash)
{
    return &store.buckets[hash & (store.n_buckets - 1)];
}

static void grow(void)
{
    struct message_bytes **old = store.buckets;
    size_t n_old = store.n_buckets;

    store.n_buckets = n_old > 0 ? n_old * 4 : BUCKETS_MIN;
    store.buckets = memory_new(store.n_buckets, sizeof(struct message_bytes *));
    for (size_t i = 0; i < n_old; i++) {
        while (old[i] != NULL) {
            struct message_bytes *bytes = old[i];

            old[i] = bytes->next;
            bytes->next = *bucket_of(bytes->hash);
            *bucket_of(bytes->hash) = bytes;
        }
    }
    free(old);
}

struct message_bytes *message_store_keep(const char *data, size_t len, bool *shared)
{
    uint64_t hash = hash_fast(data, len);
    struct message_bytes *bytes;
    int seen = 0;

    if (store.count * 2 >= store.n_buckets) /* every step along a chain waits for memory */
        grow();
    for (bytes = *bucket_of(hash); bytes != NULL && seen < CHAIN_MAX; bytes = bytes->next) {
        if (bytes->hash != hash)
            continue;
        seen++;
        *shared = bytes->len == len && memcmp(bytes->data, data, len) == 0;
        if (*shared) {
            bytes->users++;
            return bytes;
        }
    }
    *shared = false;
    bytes = memory_raw(sizeof(*bytes) + len);
    *bytes = (struct message_bytes){.next = *bucket_of(hash), .hash = hash, .users = 1, .len = len};
    memcpy(bytes->data, data, len);
    *bucket_of(hash) = bytes;
    store.count++;
    return bytes;
}

void message_store_drop(struct message_bytes *bytes)
{
    struct message_bytes **at;

    if (--bytes->users > 0)
        return;
    at = bucket_of(bytes->hash);
    while (*at != bytes)
        at = &(*at)->next;
    *at = bytes->next;
    free(bytes->call_id);
    free(bytes);
    if (--store.count > 0)
        return;
    free(store.buckets);
    store.buckets = NULL;
    store.n_buckets = 0;
}
