#include "capturer/capdiff/isn_index.h"

#include <stdlib.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"

struct isn_entry {
    struct isn_entry *next; /* the next later one with the same hash */
    struct connection *connection;
};

static struct isn_entry **bucket_of(
    const struct isn_index *index, const struct connection *connection)
{
    uint64_t hash = endpoint_pair_hash(&connection->ends[0], &connection->ends[1]);

    hash = hash_mix(hash ^ connection->isn[connection->client], hash_secret[1]);
    return &index->buckets[(hash ^ (hash >> 31)) & (index->n_buckets - 1)];
}

void isn_index_init(struct isn_index *index, const struct connections *table)
{
    index->items = memory_new(table->count, sizeof(struct isn_entry));
    for (index->n_buckets = 64; index->n_buckets < table->count;)
        index->n_buckets *= 2;
    index->buckets = memory_new(index->n_buckets, sizeof(struct isn_entry *));
    for (size_t i = table->count; i-- > 0;) { /* backwards: each chain begins with the earliest */
        struct connection *connection = table->items[i];
        struct isn_entry **bucket;

        if (!connection->has_isn[connection->client] || connection->towards_client != NULL)
            continue;
        bucket = bucket_of(index, connection);
        index->items[i] = (struct isn_entry){*bucket, connection};
        *bucket = &index->items[i];
    }
}

void isn_index_deinit(struct isn_index *index)
{
    free(index->items);
    free(index->buckets);
}

static bool is_same(const struct connection *a, const struct connection *b)
{
    return a->isn[a->client] == b->isn[b->client] &&
           endpoint_equal(connection_client(a), connection_client(b)) &&
           endpoint_equal(connection_server(a), connection_server(b));
}

struct connection *isn_index_take(struct isn_index *index, const struct connection *connection)
{
    struct isn_entry **at;

    if (!connection->has_isn[connection->client])
        return NULL;
    at = bucket_of(index, connection);
    while (*at != NULL && !is_same((*at)->connection, connection))
        at = &(*at)->next;
    if (*at == NULL)
        return NULL;

    struct connection *found = (*at)->connection;

    *at = (*at)->next; /* taken: nobody has to pass it again */
    return found;
}
