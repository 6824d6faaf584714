/*
 * The exchanges of both legs under keys, to find those that are alike.
 */
#ifndef CAPDIFF_POOL_ENTRIES_H
#define CAPDIFF_POOL_ENTRIES_H

#include "capturer/capdiff/connection.h"

/* One exchange of either leg under the key of the pass at hand. */
struct entry {
    uint64_t key;
    struct connection *connection;
    struct exchange *exchange;
};

struct entries {
    struct entry *items;
    size_t count, room;
};

/* A run of entries with one key: those of the client leg, then those of the upstream leg. */
struct group {
    struct entry *clients, *upstreams;
    size_t n_clients, n_upstreams;
};

/* 0: the exchange has no such key, and is left out. */
typedef uint64_t (*pool_key_cb)(const struct exchange *exchange);

/* Whether the log has not said already which connection is whose. */
bool pool_is_free(const struct connection *connection);

/* Has its counterpart on the other leg. */
bool pool_is_paired(const struct exchange *exchange);

/*
 * All exchanges with a key, by key, leg and time; FREE_ONLY: only those of free connections that
 * are not paired. The caller frees `items`.
 */
void pool_collect(
    struct entries *entries, const struct connections *table, pool_key_cb key_of, bool free_only);

/* The group that begins at *AT, which moves on; false: there is none. */
bool pool_next_group(const struct entries *entries, size_t *at, struct group *group);

#endif
