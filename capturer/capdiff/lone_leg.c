#include "capturer/capdiff/lone_leg.h"

static const struct connections *table_of(const struct evidence *evidence)
{
    return &evidence->recordings[SOURCE_PROXY].connections;
}

static bool speaks_http(const struct connection *connection)
{
    return connection_exchanges(connection) > 0;
}

static bool by_port(const struct evidence *evidence, uint16_t port, struct endpoint *proxy)
{
    const struct connections *table = table_of(evidence);

    for (size_t i = 0; i < table->count; i++) {
        if (!speaks_http(table->items[i]) || connection_server(table->items[i])->port != port)
            continue;
        *proxy = *connection_server(table->items[i]);
        return true;
    }
    return false;
}

/* The server's recording began before the exchange, and ended after it. */
static bool is_covered(const struct evidence *evidence, const struct connection *connection)
{
    const struct capture_facts *facts = &evidence->recordings[SOURCE_SERVER].facts;

    return facts->packets > 0 && facts->first_ns <= connection->first_ns &&
           connection->last_ns <= facts->last_ns;
}

/* Nobody speaks to the server but its own host, as health checks do. */
static bool hears_nobody(const struct connections *server)
{
    for (size_t i = 0; i < server->count; i++) {
        const struct connection *connection = server->items[i];

        if (!endpoint_same_address(connection_client(connection), connection_server(connection)) &&
            !endpoint_is_loopback(connection_client(connection)))
            return false;
    }
    return true;
}

/* Or the same of two servers, whose connections the proxy has diverted to it. */
static bool is_same_service(const struct connection *a, const struct connection *b)
{
    const struct endpoint *one = connection_server(a), *other = connection_server(b);

    return endpoint_equal(one, other) ||
           (one->port == other->port && lane_opener(a) == OPENER_OTHER &&
               lane_opener(b) == OPENER_OTHER);
}

static bool as_the_only_one(const struct evidence *evidence, struct endpoint *proxy)
{
    const struct connections *table = table_of(evidence);
    const struct connection *found = NULL;

    if (!recording_is_whole(&evidence->recordings[SOURCE_PROXY]) ||
        !recording_is_whole(&evidence->recordings[SOURCE_SERVER]))
        return false;
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        if (!speaks_http(connection))
            continue;
        if (!is_covered(evidence, connection) ||
            (found != NULL && !is_same_service(found, connection)))
            return false;
        found = connection;
    }
    if (found == NULL || !hears_nobody(&evidence->recordings[SOURCE_SERVER].connections))
        return false;
    *proxy = *connection_server(found);
    return true;
}

bool lone_leg_find(
    const struct evidence *evidence, const struct legs_ports *ports, struct endpoint *proxy)
{
    if (ports->proxy != 0)
        return by_port(evidence, ports->proxy, proxy);
    return as_the_only_one(evidence, proxy);
}
