#include "capturer/capdiff/legs.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/isn_index.h"
#include "capturer/capdiff/memory.h"

#define SERVICES_MAX 32
#define OLDER_MAX 64 /* connections between the same ends that one without a beginning may be */
/* Requests that one's host calling the other, as both recordings have it, is worth: equal calls,
 * the first of which was not recorded, seem to go the other way. */
#define OPENED 8
#define CLOCKS_APART_NS 2000000000u /* how far two recordings' clocks may be from each other */

/* A server endpoint of the proxy's recording, with what goes to it. */
struct service {
    struct endpoint endpoint;
    uint64_t exchanges;
    uint64_t matched; /* its connections that stand in the server's recording */
};

struct services {
    struct service items[SERVICES_MAX];
    size_t count;
    uint64_t shared[SERVICES_MAX][SERVICES_MAX]; /* requests on one, and later on the other */
    bool opens[SERVICES_MAX][SERVICES_MAX];      /* the one's address is a client of the other */
};

/* One request on one service. */
struct sighting {
    uint64_t key;
    uint64_t time_ns;
    size_t service;
};

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool same_time(const struct connection *a, const struct connection *b)
{
    return a->first_ns <= b->last_ns + CLOCKS_APART_NS &&
           b->first_ns <= a->last_ns + CLOCKS_APART_NS;
}

static void join(struct connection *near, struct connection *far, enum pair_how how)
{
    near->towards_server = far;
    near->how = how;
    near->sure = how == PAIR_ISN ? PAIR_SURE : PAIR_LIKELY;
    far->towards_client = near;
}

static void match_by_time(struct connection *near, const struct connections *far)
{
    struct connection *best = NULL;
    struct connection *other = connections_between(far, &near->ends[0], &near->ends[1]);

    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other->towards_client != NULL || !same_time(near, other))
            continue;
        if (best == NULL ||
            apart(other->first_ns, near->first_ns) < apart(best->first_ns, near->first_ns))
            best = other;
    }
    if (best != NULL)
        join(near, best, PAIR_ENDPOINTS);
}

void legs_match(const struct connections *near, const struct connections *far)
{
    struct isn_index index;

    isn_index_init(&index, far);
    for (size_t i = 0; i < near->count; i++) {
        struct connection *other =
            near->items[i]->towards_server == NULL ? isn_index_take(&index, near->items[i]) : NULL;

        if (other != NULL)
            join(near->items[i], other, PAIR_ISN);
    }
    isn_index_deinit(&index);
    for (size_t i = 0; i < near->count; i++) {
        if (near->items[i]->towards_server == NULL)
            match_by_time(near->items[i], far);
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
            join(near, other, PAIR_ISN);
            return;
        }
    }
}

void legs_match_far(struct connection *far, const struct connections *near)
{
    struct connection *other = connections_between(near, &far->ends[0], &far->ends[1]);

    for (int i = 0; other != NULL && i < OLDER_MAX; i++, other = connection_older(other)) {
        if (other->towards_server == NULL && is_same(other, far)) {
            join(other, far, PAIR_ISN);
            return;
        }
    }
}

static size_t service_of(struct services *services, const struct endpoint *endpoint)
{
    size_t i = 0;

    while (i < services->count && !endpoint_equal(&services->items[i].endpoint, endpoint))
        i++;
    if (i == services->count && i < SERVICES_MAX) {
        services->items[i].endpoint = *endpoint;
        services->count++;
    }
    return i;
}

/* The service of a connection that carried exchanges; SERVICES_MAX: none, or one too many. */
static size_t service_at(struct services *services, const struct connection *connection)
{
    if (connection_exchanges(connection) == 0)
        return SERVICES_MAX;
    return service_of(services, connection_server(connection));
}

static void find_services(struct services *services, const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];
        size_t at = service_at(services, connection);

        if (at == SERVICES_MAX)
            continue;
        services->items[at].exchanges += connection_exchanges(connection);
        services->items[at].matched +=
            connection->leg != LEG_CLIENT && connection->towards_server != NULL;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];
        size_t at = service_at(services, connection);

        for (size_t k = 0; at < SERVICES_MAX && k < services->count; k++) {
            if (endpoint_same_address(&services->items[k].endpoint, connection_client(connection)))
                services->opens[k][at] = true;
        }
    }
}

/* What of a request a proxy is least likely to change. */
static uint64_t request_key(const struct exchange *exchange)
{
    const struct message *request = &exchange->request;
    char hex[SHA256_HEX_SIZE];
    const char *eol =
        request->raw.len > 0 ? memchr(request->raw.data, '\r', request->raw.len) : NULL;

    if (exchange_call_id(exchange) != NULL)
        return hash_bytes(
            HASH_START, exchange_call_id(exchange), strlen(exchange_call_id(exchange)));
    if (request->content_len > 0)
        return hash_bytes(HASH_START, message_content_sha256(request, hex), SHA256_HEX_SIZE);
    if (eol != NULL)
        return hash_bytes(HASH_START, request->raw.data, (size_t)(eol - request->raw.data));
    return 0;
}

static int by_key_and_time(const void *left, const void *right)
{
    const struct sighting *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return 0;
}

static void count_shared(struct services *services, const struct sighting *seen, size_t count)
{
    bool here[SERVICES_MAX] = {false};

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && seen[i].key != seen[i - 1].key)
            memset(here, 0, sizeof(here));
        if (!here[seen[i].service]) {
            for (size_t k = 0; k < services->count; k++)
                services->shared[k][seen[i].service] += here[k];
        }
        here[seen[i].service] = true;
    }
}

static void find_shared(struct services *services, const struct connections *table)
{
    struct sighting *seen = NULL;
    size_t count = 0, room = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];
        size_t at = service_at(services, connection);

        for (size_t k = 0; at < SERVICES_MAX && k < connection->http.count; k++) {
            const struct exchange *exchange = connection->http.items[k];

            if (exchange->request.state == MESSAGE_NONE)
                continue;
            seen = memory_room(seen, count, &room, sizeof(*seen));
            seen[count++] =
                (struct sighting){request_key(exchange), exchange->request.first_ns, at};
        }
    }
    if (count > 0)
        qsort(seen, count, sizeof(*seen), by_key_and_time);
    count_shared(services, seen, count);
    free(seen);
}

/* Exchanges that were paired and forgotten were requests on both. */
static void add_settled(struct services *services, const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];
        size_t near, far;

        if (connection->leg != LEG_CLIENT || connection->towards_server == NULL)
            continue;
        near = service_at(services, connection);
        far = service_at(services, connection->towards_server);
        if (near < SERVICES_MAX && far < SERVICES_MAX)
            services->shared[near][far] += connection->settled;
    }
}

/* How well a pair of services fits as proxy and server; 0: not at all. */
static uint64_t fitness(
    const struct services *services, size_t proxy, size_t server, const struct legs_ports *ports)
{
    const struct service *p = &services->items[proxy], *s = &services->items[server];
    uint64_t shared = services->shared[proxy][server];

    if (proxy == server || (ports->proxy != 0 && p->endpoint.port != ports->proxy) ||
        (ports->server != 0 && s->endpoint.port != ports->server))
        return 0;
    if (ports->server == 0 && s->matched == 0 && shared == 0)
        return 0;
    if (ports->proxy == 0 && shared == 0 && !services->opens[proxy][server])
        return 0;
    if (services->opens[proxy][server] && s->matched > 0)
        shared += OPENED;
    /* Requests seen on both outweigh all else; then what both recordings have; then traffic. */
    return (shared << 32) + ((s->matched > 0 ? 1ull : 0) << 31) +
           (p->exchanges < (1u << 30) ? p->exchanges : (1u << 30)) + 1;
}

static void choose(
    const struct services *services, const struct legs_ports *ports, struct legs *legs)
{
    uint64_t best = 0, most = 0;

    for (size_t p = 0; p < services->count; p++) {
        for (size_t s = 0; s < services->count; s++) {
            uint64_t fit = fitness(services, p, s, ports);

            if (fit <= best)
                continue;
            best = fit;
            legs->has_proxy = legs->has_server = true;
            legs->proxy = services->items[p].endpoint;
            legs->server = services->items[s].endpoint;
        }
    }
    for (size_t s = 0; s < services->count && !legs->has_server; s++) {
        const struct service *service = &services->items[s];

        if (service->matched <= most ||
            (ports->server != 0 && service->endpoint.port != ports->server))
            continue;
        most = service->matched;
        legs->server = service->endpoint;
    }
    legs->has_server = legs->has_server || most > 0;
}

/* The service itself, or the same port of another address of its host. */
static bool goes_to(const struct connection *connection, const struct endpoint *service,
    const struct endpoint *not_to)
{
    const struct endpoint *server = connection_server(connection);

    return endpoint_equal(server, service) ||
           (server->port == service->port && service->port != not_to->port);
}

enum leg legs_of(const struct connection *connection, const struct legs *legs, bool at_server)
{
    if (legs->one_leg)
        return LEG_UPSTREAM;
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

void legs_choose(
    const struct connections *proxy, const struct legs_ports *ports, struct legs *again)
{
    struct services *services = memory_new(1, sizeof(*services));

    memset(again, 0, sizeof(*again));
    find_services(services, proxy);
    find_shared(services, proxy);
    add_settled(services, proxy);
    choose(services, ports, again);
    free(services);
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
                match_by_time(connection, server);
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
