#include "capturer/capdiff/pool_entries.h"

#include <stdlib.h>

#include "capturer/capdiff/memory.h"

static bool is_on_legs(const struct connection *connection)
{
    return connection->leg == LEG_CLIENT || connection->leg == LEG_UPSTREAM;
}

/* What the log says stands: the proxy keeps those connections one to one. */
bool pool_is_free(const struct connection *connection)
{
    const struct connection *near =
        connection->leg == LEG_CLIENT ? connection : connection->towards_client;

    return near == NULL || near->towards_server == NULL || near->how != PAIR_LOG;
}

bool pool_is_paired(const struct exchange *exchange)
{
    return exchange->connection->leg == LEG_CLIENT ? exchange->after != NULL
                                                   : exchange->before != NULL;
}

static int by_key(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->connection->leg != b->connection->leg)
        return a->connection->leg == LEG_CLIENT ? -1 : 1;
    if (a->exchange->request.first_ns != b->exchange->request.first_ns)
        return a->exchange->request.first_ns < b->exchange->request.first_ns ? -1 : 1;
    return 0;
}

void pool_collect(
    struct entries *entries, const struct connections *table, pool_key_cb key_of, bool free_only)
{
    *entries = (struct entries){NULL, 0, 0};
    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];

        if (!is_on_legs(connection) || (free_only && !pool_is_free(connection)))
            continue;
        for (size_t k = 0; k < connection->http.count; k++) {
            struct exchange *exchange = connection->http.items[k];
            uint64_t key = exchange->request.first_ns != 0 ? key_of(exchange) : 0;

            if (key == 0 || exchange->settled || !exchange_is_certain(exchange) ||
                (free_only && pool_is_paired(exchange)))
                continue;
            entries->items =
                memory_room(entries->items, entries->count, &entries->room, sizeof(struct entry));
            entries->items[entries->count++] = (struct entry){key, connection, exchange};
        }
    }
    if (entries->count > 0)
        qsort(entries->items, entries->count, sizeof(struct entry), by_key);
}

bool pool_next_group(const struct entries *entries, size_t *at, struct group *group)
{
    const struct entry *first = &entries->items[*at];
    size_t end = *at;

    if (*at >= entries->count)
        return false;
    *group = (struct group){.clients = &entries->items[*at]};
    for (; end < entries->count && entries->items[end].key == first->key; end++)
        *(entries->items[end].connection->leg == LEG_UPSTREAM ? &group->n_upstreams
                                                              : &group->n_clients) += 1;
    group->upstreams = group->clients + group->n_clients;
    *at = end;
    return true;
}
