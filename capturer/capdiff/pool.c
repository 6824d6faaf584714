#include "capturer/capdiff/pool.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/pool_entries.h"
#include "capturer/capdiff/pool_key.h"

#define SLACK_NS 1000000u /* stamps of one recording may be this much out of order */
#define TRIED_MAX 64      /* candidates that are looked at for one exchange */

/* Asked after its client had asked, and answered before its client was, as far as both were. */
static bool is_within(
    const struct exchange *client, const struct exchange *upstream, uint64_t slack_ns)
{
    uint64_t answered = client->response.last_ns;

    return client->request.first_ns <= upstream->request.first_ns + slack_ns &&
           (answered == 0 || (upstream->request.first_ns <= answered + slack_ns &&
                                 upstream->response.first_ns <= answered + slack_ns));
}

bool pool_is_timely(const struct exchange *client, const struct exchange *upstream)
{
    return is_within(client, upstream, SLACK_NS);
}

static bool is_only_pair(const struct group *group)
{
    return group->n_clients == 1 && group->n_upstreams == 1 &&
           pool_is_timely(group->clients->exchange, group->upstreams->exchange);
}

static void join(const struct entry *client, const struct entry *upstream, enum pair_how how,
    enum pair_sureness sure)
{
    exchange_join(client->exchange, upstream->exchange);
    client->exchange->how = (uint8_t)how;
    client->exchange->sure = (uint8_t)sure;
    client->connection->pooled = upstream->connection->pooled = true;
}

/* A connection whose calls go, or come, by more than one other: the proxy pools. */
static bool is_shared(struct connection *connection, const struct connection *other)
{
    if (connection->linked == NULL)
        connection->linked = other;
    return connection->linked != other;
}

static bool is_pool(const struct connections *table, pool_key_cb key_of)
{
    struct entries entries;
    struct group group;
    bool pool = false;

    for (size_t i = 0; i < table->count; i++)
        table->items[i]->linked = NULL;
    pool_collect(&entries, table, key_of, false);
    for (size_t at = 0; !pool && pool_next_group(&entries, &at, &group);) {
        struct connection *near, *far;

        if (!is_only_pair(&group))
            continue;
        near = group.clients->connection;
        far = group.upstreams->connection;
        if (pool_is_free(near) && pool_is_free(far))
            pool = is_shared(near, far) || is_shared(far, near);
    }
    free(entries.items);
    return pool;
}

/* What stands once on either leg needs no other proof. An id that stands twice proves nothing. */
static void pair_unique(const struct connections *table, pool_key_cb key_of, enum pair_how how)
{
    struct entries entries;
    struct group group;

    pool_collect(&entries, table, key_of, false);
    for (size_t at = 0; pool_next_group(&entries, &at, &group);) {
        if (is_only_pair(&group) && !pool_is_paired(group.clients->exchange) &&
            !pool_is_paired(group.upstreams->exchange) && pool_is_free(group.clients->connection) &&
            pool_is_free(group.upstreams->connection))
            join(group.clients, group.upstreams, how, PAIR_SURE);
    }
    free(entries.items);
}

/* The group's clients begin with one that is free. */
static void leave_paired(struct group *group)
{
    while (group->n_clients > 0 && pool_is_paired(group->clients->exchange)) {
        group->clients++;
        group->n_clients--;
    }
}

/* The earliest that is free and in time, but rather one that got the same answer. */
static const struct entry *choose(struct group *group, const struct exchange *upstream)
{
    const struct entry *found = NULL;
    size_t tried = 0;

    leave_paired(group);
    for (size_t i = 0; i < group->n_clients && tried < TRIED_MAX; i++) {
        const struct exchange *client = group->clients[i].exchange;

        if (client->request.first_ns > upstream->request.first_ns + SLACK_NS)
            break;
        tried++;
        if (pool_is_paired(client) || !pool_is_timely(client, upstream))
            continue;
        if (pool_same_answer(client, upstream))
            return &group->clients[i];
        found = found != NULL ? found : &group->clients[i];
    }
    return found;
}

/* Calls that are alike: in the order of time, each upstream one to the client one that fits. */
static void pair_alike(const struct connections *table)
{
    struct entries entries;
    struct group group;

    pool_collect(&entries, table, pool_key_call, true);
    for (size_t at = 0; pool_next_group(&entries, &at, &group);) {
        for (size_t i = 0; i < group.n_upstreams; i++) {
            const struct entry *upstream = &group.upstreams[i];
            const struct entry *client = choose(&group, upstream->exchange);

            if (client != NULL)
                join(client, upstream, PAIR_ORDER,
                    pool_same_answer(client->exchange, upstream->exchange) ? PAIR_LIKELY
                                                                           : PAIR_GUESS);
        }
    }
    free(entries.items);
}

static uint64_t key_all(const struct exchange *exchange)
{
    (void)exchange;
    return 1;
}

/* The free one in time that is most like it, if any is like it. */
static const struct entry *choose_like(struct group *group, const struct exchange *upstream)
{
    const struct entry *best = NULL;
    unsigned most = 0;
    size_t tried = 0;

    leave_paired(group);
    for (size_t i = 0; i < group->n_clients && tried < TRIED_MAX; i++) {
        const struct exchange *client = group->clients[i].exchange;
        unsigned alike;

        tried++;
        if (pool_is_paired(client) || !is_within(client, upstream, 0))
            continue;
        alike = pool_likeness(client, upstream);
        if (alike > most) {
            most = alike;
            best = &group->clients[i];
        }
    }
    return best;
}

static void pair_rest(const struct connections *table)
{
    struct entries entries;
    struct group group;
    size_t at = 0;

    pool_collect(&entries, table, key_all, true);
    if (pool_next_group(&entries, &at, &group)) {
        for (size_t i = 0; i < group.n_upstreams; i++) {
            const struct entry *best = choose_like(&group, group.upstreams[i].exchange);

            if (best != NULL)
                join(best, &group.upstreams[i], PAIR_LIKENESS, PAIR_GUESS);
        }
    }
    free(entries.items);
}

/* The same call was left over on either leg, at the same time: they went by other connections. */
static bool is_left_over(const struct group *group)
{
    size_t j = 0;

    for (size_t i = 0; i < group->n_clients; i++) {
        const struct exchange *client = group->clients[i].exchange;

        if (pool_is_paired(client) || !connection_is_sure(client->connection))
            continue;
        while (j < group->n_upstreams &&
               (pool_is_paired(group->upstreams[j].exchange) ||
                   group->upstreams[j].exchange->request.first_ns + SLACK_NS <
                       client->request.first_ns))
            j++;
        if (j < group->n_upstreams && connection_is_sure(group->upstreams[j].connection) &&
            pool_is_timely(client, group->upstreams[j].exchange))
            return true;
    }
    return false;
}

static void dissolve(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct connection *near = table->items[i];

        if (near->leg != LEG_CLIENT || near->towards_server == NULL || near->how == PAIR_LOG)
            continue;
        near->towards_server->towards_client = NULL;
        near->towards_server = NULL;
        near->how = PAIR_NONE;
        for (size_t k = 0; k < near->http.count; k++)
            exchange_part_after(near->http.items[k]);
    }
}

/* Its counterpart is another call. */
static bool is_mismatched(const struct exchange *exchange)
{
    const struct exchange *after = exchange->after;

    if (after == NULL)
        return false;
    if (exchange_call_id(exchange) == NULL || exchange_call_id(after) == NULL)
        return !slice_equal(pool_method_and_target(exchange), pool_method_and_target(after));
    return strcmp(exchange_call_id(exchange), exchange_call_id(after)) != 0;
}

/*
 * The connections do not fit one to one: calls that do not match, or calls that are left over on
 * both legs. Where a proxy answers some itself, they are left over on one.
 */
static bool has_suspect(const struct connections *table)
{
    bool client = false, upstream = false;

    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        for (size_t k = 0; k < connection->http.count; k++) {
            const struct exchange *exchange = connection->http.items[k];

            if (connection->leg == LEG_CLIENT && is_mismatched(exchange))
                return true;
            client = client || (connection->leg == LEG_CLIENT && exchange->after == NULL);
            upstream = upstream || (connection->leg == LEG_UPSTREAM && exchange->before == NULL);
        }
    }
    return client && upstream;
}

static bool has_left_over(const struct connections *table)
{
    struct entries entries;
    struct group group;
    bool found = false;

    pool_collect(&entries, table, pool_key_call, true);
    for (size_t at = 0; !found && pool_next_group(&entries, &at, &group);)
        found = is_left_over(&group);
    free(entries.items);
    return found;
}

bool pool_is_seen(const struct connections *table)
{
    return has_suspect(table) &&
           (is_pool(table, pool_key_id) || is_pool(table, pool_key_call) || has_left_over(table));
}

/* Takes apart what was paired before, from either end: the pairs of connections have come apart. */
static void part(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        for (size_t k = 0; pool_is_free(connection) && k < connection->http.count; k++) {
            if (connection->leg == LEG_CLIENT)
                exchange_part_after(connection->http.items[k]);
            else if (connection->leg == LEG_UPSTREAM)
                exchange_part_before(connection->http.items[k]);
        }
    }
}

void pool_pair_again(const struct connections *table)
{
    dissolve(table);
    part(table);
    pair_unique(table, pool_key_id, PAIR_CALL_ID);
    pair_unique(table, pool_key_call, PAIR_CONTENT);
    pair_alike(table);
    pair_rest(table);
}

bool pool_pair(const struct connections *table)
{
    if (!pool_is_seen(table))
        return false;
    pool_pair_again(table);
    return true;
}

static bool has_unasked(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        for (size_t k = 0; connection->leg == LEG_UPSTREAM && k < connection->http.count; k++) {
            if (!pool_is_paired(connection->http.items[k]))
                return true;
        }
    }
    return false;
}

void pool_mark_repeated(const struct connections *table)
{
    struct entries entries;
    struct group group;

    if (!has_unasked(table))
        return;
    pool_collect(&entries, table, pool_key_call, false);
    for (size_t at = 0; pool_next_group(&entries, &at, &group);) {
        bool known = false;

        for (size_t i = 0; i < group.n_upstreams; i++)
            known = known || pool_is_paired(group.upstreams[i].exchange);
        for (size_t i = 0; known && i < group.n_upstreams; i++)
            group.upstreams[i].exchange->repeated = !pool_is_paired(group.upstreams[i].exchange);
    }
    free(entries.items);
}
