#include "agent_b/nonces.h"

#include <stdlib.h>

#include "lib/crypto.h"

#define ID_SIZE                                                                                    \
    16 /* bytes of a digest: nonces may be long, and an attacker cannot make two collide */
#define NOWHERE UINT32_MAX

struct seen {
    unsigned char id[ID_SIZE];
    int64_t until;
    uint32_t next; /* in its bucket */
};

/* A ring in the order of their ends, oldest first, and chains to find them by. */
struct nonces {
    size_t capacity, first, count;
    uint32_t *buckets; /* `capacity` of them */
    struct seen *ring;
};

struct nonces *nonces_new(size_t capacity)
{
    struct nonces *nonces = calloc(1, sizeof *nonces);
    if (nonces == NULL)
        return NULL;
    nonces->capacity = capacity;
    nonces->ring = calloc(capacity, sizeof *nonces->ring);
    nonces->buckets = malloc(capacity * sizeof *nonces->buckets);
    if (nonces->ring == NULL || nonces->buckets == NULL) {
        nonces_free(nonces);
        return NULL;
    }
    memset(nonces->buckets, 0xff, capacity * sizeof *nonces->buckets); /* NOWHERE */
    return nonces;
}

void nonces_free(struct nonces *nonces)
{
    if (nonces == NULL)
        return;
    free(nonces->ring);
    free(nonces->buckets);
    free(nonces);
}

static uint32_t *bucket_of(const struct nonces *nonces, const unsigned char *id)
{
    uint64_t number;
    memcpy(&number, id, sizeof number);
    return &nonces->buckets[number % nonces->capacity];
}

/* The oldest goes: it is the last of its chain, since each is put first. */
static void drop_oldest(struct nonces *nonces)
{
    const struct seen *oldest = &nonces->ring[nonces->first];
    uint32_t *link = bucket_of(nonces, oldest->id);
    while (*link != nonces->first)
        link = &nonces->ring[*link].next;
    *link = NOWHERE;
    nonces->first = (nonces->first + 1) % nonces->capacity;
    nonces->count--;
}

static bool is_seen(const struct nonces *nonces, const unsigned char *id)
{
    for (uint32_t at = *bucket_of(nonces, id); at != NOWHERE; at = nonces->ring[at].next) {
        if (memcmp(nonces->ring[at].id, id, ID_SIZE) == 0)
            return true;
    }
    return false;
}

enum nonces_result nonces_add(struct nonces *nonces, struct slice nonce, int64_t now, int64_t until)
{
    unsigned char id[CRYPTO_DIGEST_MAX];
    while (nonces->count > 0 && nonces->ring[nonces->first].until < now)
        drop_oldest(nonces);
    if (crypto_digest(CRYPTO_SHA256, nonce, id) == 0)
        return NONCES_FULL;
    if (is_seen(nonces, id))
        return NONCES_SEEN;
    if (nonces->count == nonces->capacity)
        return NONCES_FULL;
    size_t at = (nonces->first + nonces->count++) % nonces->capacity;
    uint32_t *bucket = bucket_of(nonces, id);
    struct seen *seen = &nonces->ring[at];
    memcpy(seen->id, id, ID_SIZE);
    seen->until = until;
    seen->next = *bucket;
    *bucket = (uint32_t)at;
    return NONCES_NEW;
}
