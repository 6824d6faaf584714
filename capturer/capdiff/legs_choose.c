#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/legs.h"
#include "capturer/capdiff/memory.h"

#define SERVICES_MAX 32
/* Requests that one's host calling the other, as both recordings have it, is worth: equal calls,
 * the first of which was not recorded, seem to go the other way. */
#define OPENED 8
#define TRAFFIC_MAX ((1u << 30) - 2)

/* A server endpoint of the proxy's recording, with what goes to it from one side. */
struct service {
    struct endpoint endpoint;
    enum opener opener;
    bool sure; /* of that: the recording tells it itself */
    uint64_t exchanges;
    uint64_t matched; /* its connections that stand in the server's recording */
};

struct services {
    const struct addresses *own; /* the proxy's, towards servers */
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

static size_t service_of(
    struct services *services, const struct endpoint *endpoint, enum opener opener)
{
    size_t i = 0;

    while (i < services->count && (services->items[i].opener != opener ||
                                      !endpoint_equal(&services->items[i].endpoint, endpoint)))
        i++;
    if (i == services->count && i < SERVICES_MAX) {
        services->items[i].endpoint = *endpoint;
        services->items[i].opener = opener;
        services->count++;
    }
    return i;
}

/* The service of a connection that carried exchanges; SERVICES_MAX: none, or one too many. */
static size_t service_at(struct services *services, const struct connection *connection)
{
    if (connection_exchanges(connection) == 0 || connection->mixed)
        return SERVICES_MAX;
    return service_of(
        services, connection_server(connection), legs_opener(connection, services->own));
}

static void find_services(struct services *services, const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];
        size_t at = service_at(services, connection);

        if (at == SERVICES_MAX)
            continue;
        services->items[at].sure |= lane_opener(connection) != OPENER_UNKNOWN;
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

/* Connections to the one are diverted, and the other are the proxy's in their place. */
static bool is_diverted(const struct service *proxy, const struct service *server)
{
    return endpoint_equal(&proxy->endpoint, &server->endpoint) && proxy->opener == OPENER_OTHER &&
           server->opener == OPENER_HOST;
}

/* How well a pair of services fits as proxy and server; 0: not at all. */
static uint64_t fitness(
    const struct services *services, size_t proxy, size_t server, const struct legs_ports *ports)
{
    const struct service *p = &services->items[proxy], *s = &services->items[server];
    uint64_t shared = services->shared[proxy][server];

    bool diverted = is_diverted(p, s);

    if (endpoint_equal(&p->endpoint, &s->endpoint) && !diverted)
        return 0;
    if ((p->sure && p->opener == OPENER_HOST) || (s->sure && s->opener == OPENER_OTHER))
        return 0;
    if ((ports->proxy != 0 && p->endpoint.port != ports->proxy) ||
        (ports->server != 0 && s->endpoint.port != ports->server))
        return 0;
    if (ports->server == 0 && s->matched == 0 && shared == 0)
        return 0;
    if (ports->proxy == 0 && shared == 0 && !services->opens[proxy][server] &&
        !(diverted && p->sure && s->sure))
        return 0;
    if (services->opens[proxy][server] && s->matched > 0)
        shared += OPENED;
    /* Requests seen on both outweigh all else; then what both recordings have; then traffic. */
    return (shared << 32) + ((s->matched > 0 ? 1ull : 0) << 31) + ((diverted ? 1ull : 0) << 30) +
           (p->exchanges < TRAFFIC_MAX ? p->exchanges : TRAFFIC_MAX) + 1;
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

static void add_port(struct legs *legs, uint16_t port)
{
    for (size_t i = 0; i < legs->n_ports; i++) {
        if (legs->ports[i] == port)
            return;
    }
    if (legs->n_ports < LEGS_PORTS_MAX)
        legs->ports[legs->n_ports++] = port;
}

/* Where connections to one service are diverted, they may be to others, too. */
static void find_diverted(const struct services *services, struct legs *legs)
{
    legs->diverted = legs->has_proxy && endpoint_equal(&legs->proxy, &legs->server);
    for (size_t p = 0; legs->diverted && p < services->count; p++) {
        for (size_t s = 0; s < services->count; s++) {
            if (!is_diverted(&services->items[p], &services->items[s]))
                continue;
            add_port(legs, services->items[p].endpoint.port);
            addresses_add(&legs->called, &services->items[p].endpoint);
        }
    }
}

/* Where the log does not tell: from there connections came that stand in the server's recording. */
static void find_own(struct addresses *own, const struct connections *proxy)
{
    for (size_t i = 0; i < proxy->count; i++) {
        const struct connection *connection = proxy->items[i];

        if (connection->leg != LEG_CLIENT && connection->towards_server != NULL)
            addresses_add(own, connection_client(connection));
    }
}

void legs_choose(
    const struct connections *proxy, const struct legs_ports *ports, struct legs *again)
{
    struct services *services = memory_new(1, sizeof(*services));

    memset(again, 0, sizeof(*again));
    again->own = ports->own;
    again->called = ports->called;
    if (again->own.count == 0)
        find_own(&again->own, proxy);
    services->own = &again->own;
    find_services(services, proxy);
    find_shared(services, proxy);
    add_settled(services, proxy);
    choose(services, ports, again);
    find_diverted(services, again);
    free(services);
}
