#include "mitm_proxy/tls_cache.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE 32

struct entry {
    unsigned char key[KEY_SIZE];
    time_t until;
    struct tls_context *context;
    struct entry *next; /* in its bucket */
    struct entry *newer, *older;
};

struct tls_cache {
    struct entry **buckets;
    size_t mask; /* of a power of two */
    size_t count, max;
    struct entry *newest, *oldest;
};

struct tls_cache *tls_cache_new(size_t max)
{
    struct tls_cache *cache = calloc(1, sizeof *cache);
    size_t buckets = 1;
    while (buckets < max)
        buckets *= 2;
    if (cache)
        cache->buckets = calloc(buckets, sizeof(struct entry *));
    if (!cache || !cache->buckets) {
        free(cache);
        return NULL;
    }
    cache->mask = buckets - 1;
    cache->max = max;
    return cache;
}

static struct entry **bucket_of(struct tls_cache *cache, const unsigned char *key)
{
    uint64_t number;
    memcpy(&number, key, sizeof number);
    return &cache->buckets[number & cache->mask];
}

static struct entry *find(struct tls_cache *cache, const unsigned char *key)
{
    struct entry *entry = *bucket_of(cache, key);
    while (entry && memcmp(entry->key, key, KEY_SIZE) != 0)
        entry = entry->next;
    return entry;
}

static void unlink_age(struct tls_cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void make_newest(struct tls_cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void drop(struct tls_cache *cache, struct entry *entry)
{
    struct entry **place = bucket_of(cache, entry->key);
    while (*place != entry)
        place = &(*place)->next;
    *place = entry->next;
    unlink_age(cache, entry);
    cache->count--;
    tls_context_free(entry->context);
    free(entry);
}

void tls_cache_free(struct tls_cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        drop(cache, cache->oldest);
    free(cache->buckets);
    free(cache);
}

size_t tls_cache_count(const struct tls_cache *cache)
{
    return cache->count;
}

struct tls_context *tls_cache_get(
    struct tls_cache *cache, const unsigned char key[CRYPTO_DIGEST_MAX], time_t now)
{
    struct entry *entry = find(cache, key);
    if (!entry || now >= entry->until)
        return NULL;
    unlink_age(cache, entry);
    make_newest(cache, entry);
    return entry->context;
}

void tls_cache_put(struct tls_cache *cache, const unsigned char key[CRYPTO_DIGEST_MAX],
    time_t until, struct tls_context *context)
{
    struct entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        tls_context_free(context);
        return;
    }
    struct entry *before = find(cache, key);
    if (before)
        drop(cache, before);
    else if (cache->count == cache->max)
        drop(cache, cache->oldest);
    memcpy(entry->key, key, KEY_SIZE);
    entry->until = until;
    entry->context = context;
    struct entry **bucket = bucket_of(cache, key);
    entry->next = *bucket;
    *bucket = entry;
    make_newest(cache, entry);
    cache->count++;
}
