#include "capturer/capdiff/client_index.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

#define OLDER_MAX 64 /* connections between the same ends that are looked at */

static int compare_endpoints(const struct endpoint *a, const struct endpoint *b)
{
    if (a->ipv6 != b->ipv6)
        return a->ipv6 ? 1 : -1;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    return memcmp(a->address, b->address, sizeof(a->address));
}

static int by_client_and_time(const void *left, const void *right)
{
    const struct connection *a = *(struct connection *const *)left;
    const struct connection *b = *(struct connection *const *)right;
    int order = compare_endpoints(connection_client(a), connection_client(b));

    if (order != 0 || a->first_ns == b->first_ns)
        return order;
    return a->first_ns < b->first_ns ? -1 : 1;
}

void client_index_init(struct client_index *index, const struct connections *table, enum leg leg)
{
    index->items = memory_new(table->count, sizeof(struct connection *));
    index->count = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i]->leg == leg)
            index->items[index->count++] = table->items[i];
    }
    qsort(index->items, index->count, sizeof(struct connection *), by_client_and_time);
}

void client_index_deinit(struct client_index *index)
{
    free(index->items);
    index->items = NULL;
    index->count = 0;
}

static bool was_alive(const struct connection *connection, uint64_t ts_ns)
{
    return ts_ns == 0 || (connection->first_ns <= ts_ns + CLIENT_INDEX_SLACK_NS &&
                             ts_ns <= connection->last_ns + CLIENT_INDEX_SLACK_NS);
}

struct connection *client_index_find(
    const struct client_index *index, const struct endpoint *client, uint64_t ts_ns)
{
    size_t low = 0, high = index->count;
    struct connection *found = NULL;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_endpoints(connection_client(index->items[middle]), client) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < index->count && endpoint_equal(connection_client(index->items[low]), client);
         low++) {
        if (was_alive(index->items[low], ts_ns))
            found = index->items[low];
    }
    return found;
}

struct connection *client_index_ask(const struct connections *table, enum leg leg,
    const struct endpoint *service, const struct endpoint *client, uint64_t ts_ns)
{
    struct connection *connection = connections_between(table, client, service);

    for (int i = 0; i < OLDER_MAX && connection != NULL; i++) {
        if (connection->leg == leg && was_alive(connection, ts_ns))
            return connection;
        connection = connection_older(connection);
    }
    return NULL;
}
