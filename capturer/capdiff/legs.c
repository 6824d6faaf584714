#include "capturer/capdiff/legs.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/isn_index.h"
#include "capturer/capdiff/memory.h"

#define OLDER_MAX 64 /* connections between the same ends that one without a beginning may be */
#define CLOCKS_APART_NS 2000000000u /* how far two recordings' clocks may be from each other */

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool same_time(const struct connection *a, const struct connection *b)
{
    return a->first_ns <= b->last_ns + CLOCKS_APART_NS &&
           b->first_ns <= a->last_ns + CLOCKS_APART_NS;
}

static void join(
    struct connection *near, struct connection *far, enum pair_how how, enum pair_sureness sure)
{
    near->towards_server = far;
    near->how = how;
    near->sure = sure;
    far->towards_client = near;
}

/* STRICT: whoever recorded NEAR did not accept it there, nor whoever recorded FAR open it. */
static bool may_be(const struct connection *near, const struct connection *far, bool strict)
{
    return same_time(near, far) &&
           (!strict || (lane_opener(near) != OPENER_OTHER && lane_opener(far) != OPENER_HOST));
}

/* Whether NEAR has its match by more than time, which might have gone otherwise. */
static bool is_settled(const struct connection *near)
{
    return near != NULL && near->towards_server != NULL && near->how != PAIR_ENDPOINTS;
}

/* Whether another connection between the same ends would do in the place of one of the two. */
static bool has_rival(const struct connection *near, const struct connection *far,
    const struct connections *near_table, const struct connections *far_table, bool strict)
{
    const struct connection *other = connections_between(far_table, &near->ends[0], &near->ends[1]);

    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other != far && !is_settled(other->towards_client) && may_be(near, other, strict))
            return true;
    }
    other = connections_between(near_table, &near->ends[0], &near->ends[1]);
    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other != near && !is_settled(other) && may_be(other, far, strict))
            return true;
    }
    return false;
}

static void match_by_time(struct connection *near, const struct connections *near_table,
    const struct connections *far_table, bool strict)
{
    struct connection *best = NULL;
    struct connection *other = connections_between(far_table, &near->ends[0], &near->ends[1]);

    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other->towards_client != NULL || !may_be(near, other, strict))
            continue;
        if (best == NULL ||
            apart(other->first_ns, near->first_ns) < apart(best->first_ns, near->first_ns))
            best = other;
    }
    if (best == NULL)
        return;
    join(near, best, PAIR_ENDPOINTS,
        has_rival(near, best, near_table, far_table, strict) ? PAIR_LIKELY : PAIR_SURE);
}

void legs_match(const struct connections *near, const struct connections *far)
{
    struct isn_index index;

    isn_index_init(&index, far);
    for (size_t i = 0; i < near->count; i++) {
        struct connection *other =
            near->items[i]->towards_server == NULL ? isn_index_take(&index, near->items[i]) : NULL;

        if (other != NULL)
            join(near->items[i], other, PAIR_ISN, PAIR_SURE);
    }
    isn_index_deinit(&index);
    for (int strict = 1; strict >= 0; strict--) {
        for (size_t i = 0; i < near->count; i++) {
            if (near->items[i]->towards_server == NULL)
                match_by_time(near->items[i], near, far, strict);
        }
    }
}

static bool is_same(const struct connection *a, const struct connection *b)
{
    return !a->doomed && !b->doomed && a->has_isn[a->client] && b->has_isn[b->client] &&
           a->isn[a->client] == b->isn[b->client] &&
           endpoint_equal(connection_client(a), connection_client(b));
}

void legs_match_near(struct connection *near, const struct connections *far)
{
    struct connection *other = connections_between(far, &near->ends[0], &near->ends[1]);

    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other->towards_client == NULL && is_same(near, other)) {
            join(near, other, PAIR_ISN, PAIR_SURE);
            return;
        }
    }
}

void legs_match_far(struct connection *far, const struct connections *near)
{
    struct connection *other = connections_between(near, &far->ends[0], &far->ends[1]);

    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other->towards_server == NULL && is_same(other, far)) {
            join(other, far, PAIR_ISN, PAIR_SURE);
            return;
        }
    }
}

/* The service itself, or the same port of another address of its host. */
static bool goes_to(const struct connection *connection, const struct endpoint *service,
    const struct endpoint *not_to)
{
    const struct endpoint *server = connection_server(connection);

    return endpoint_equal(server, service) ||
           (server->port == service->port && service->port != not_to->port);
}

enum opener legs_opener(const struct connection *connection, const struct addresses *own)
{
    enum opener opener = lane_opener(connection);

    if (opener != OPENER_UNKNOWN || connection->lane == LANE_BOTH || own->count == 0)
        return opener;
    return addresses_have(own, connection_client(connection)) ? OPENER_HOST : OPENER_OTHER;
}

static bool has_port(const struct legs *legs, uint16_t port)
{
    size_t i = 0;

    while (i < legs->n_ports && legs->ports[i] != port)
        i++;
    return i < legs->n_ports;
}

static enum leg leg_of_diverted(
    const struct connection *connection, const struct legs *legs, bool at_server)
{
    if (!has_port(legs, connection_server(connection)->port) &&
        (at_server || !addresses_have(&legs->called, connection_server(connection))))
        return LEG_OTHER;
    if (at_server) /* what the proxy's host only passed on did not go through the proxy */
        return connection->towards_client != NULL && connection->towards_client->leg != LEG_UPSTREAM
                   ? LEG_OTHER
                   : LEG_UPSTREAM;
    switch (legs_opener(connection, &legs->own)) {
    case OPENER_OTHER:
        return LEG_CLIENT;
    case OPENER_HOST:
        return LEG_UPSTREAM;
    default:
        return LEG_OTHER;
    }
}

enum leg legs_of(const struct connection *connection, const struct legs *legs, bool at_server)
{
    if (connection->mixed)
        return LEG_OTHER;
    if (legs->one_leg)
        return LEG_UPSTREAM;
    if (legs->diverted)
        return leg_of_diverted(connection, legs, at_server);
    if (legs->has_proxy && goes_to(connection, &legs->proxy, &legs->server))
        return at_server ? LEG_OTHER : LEG_CLIENT;
    if (legs->has_server && goes_to(connection, &legs->server, &legs->proxy))
        return LEG_UPSTREAM;
    return LEG_OTHER;
}

static uint64_t set_legs(const struct connections *table, const struct legs *legs, bool at_server)
{
    uint64_t other = 0;

    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];

        connection->leg = legs_of(connection, legs, at_server);
        other += connection->leg == LEG_OTHER && connection_exchanges(connection) > 0;
    }
    return other;
}

/* A match outside the upstream leg means only that both recordings heard the same other traffic. */
static void forget_other_matches(const struct connections *near)
{
    for (size_t i = 0; i < near->count; i++) {
        struct connection *connection = near->items[i];

        if (connection->leg == LEG_UPSTREAM || connection->towards_server == NULL)
            continue;
        connection->towards_server->towards_client = NULL;
        connection->towards_server = NULL;
        connection->how = PAIR_NONE;
    }
}

void legs_find(struct recording *proxy, struct recording *server, const struct legs_ports *ports,
    struct legs *legs)
{
    legs_match(&proxy->connections, &server->connections);
    legs_choose(&proxy->connections, ports, legs);
    legs->other_proxy = set_legs(&proxy->connections, legs, false);
    legs->other_server = set_legs(&server->connections, legs, true);
    forget_other_matches(&proxy->connections);
}

void legs_complete(
    const struct connections *proxy, const struct connections *server, struct legs *legs)
{
    legs->other_proxy += set_legs(proxy, legs, false);
    legs->other_server += set_legs(server, legs, true);
    for (int by_isn = 1; by_isn >= 0; by_isn--) {
        for (size_t i = 0; i < proxy->count; i++) {
            struct connection *connection = proxy->items[i];

            if (connection->leg != LEG_UPSTREAM || connection->towards_server != NULL)
                continue;
            if (by_isn)
                legs_match_near(connection, server);
            else
                match_by_time(connection, proxy, server, false);
        }
    }
}

void legs_forget(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];

        connection->leg = LEG_OTHER;
        connection->towards_client = connection->towards_server = NULL;
        connection->how = PAIR_NONE;
    }
}
