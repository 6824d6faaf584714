#include "capturer/capdiff/one_leg.h"

#include <string.h>
#include <sys/stat.h>

#include "capturer/capdiff/legs.h"

static bool is_loopback(const struct connection *connection)
{
    return endpoint_is_loopback(connection_client(connection)) ||
           endpoint_same_address(connection_client(connection), connection_server(connection));
}

/* One of its ends has the other part in a connection that both captures hold. */
static bool goes_on(const struct connections *table, const struct connection *connection)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *other = table->items[i];

        if (other->towards_client == NULL || other->http.count == 0)
            continue;
        if (endpoint_same_address(connection_client(other), connection_server(connection)) ||
            endpoint_same_address(connection_server(other), connection_client(connection)))
            return true;
    }
    return false;
}

/* To a service that both captures know: a call from the server's own host, as a health check is. */
static bool is_to_known_service(
    const struct connections *table, const struct connection *connection)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *other = table->items[i];

        if (other->towards_client != NULL && other->http.count > 0 &&
            connection_server(other)->port == connection_server(connection)->port)
            return true;
    }
    return false;
}

/*
 * An address that serves one connection and opens another is a proxy's, where one of the two is
 * only in this capture; and on one host any other service may be one.
 */
static bool holds_proxy(const struct connections *table)
{
    const struct connection *last = NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        if (connection->towards_client != NULL || connection->http.count == 0)
            continue;
        if (last != NULL &&
            endpoint_equal(connection_server(last), connection_server(connection)) &&
            endpoint_same_address(connection_client(last), connection_client(connection)))
            continue; /* asked before */
        last = connection;
        if (is_loopback(connection) ? !is_to_known_service(table, connection)
                                    : goes_on(table, connection))
            return true;
    }
    return false;
}

bool one_leg_is_given(const struct recording *first, const struct recording *second)
{
    struct stat a, b;

    return strcmp(first->path, "-") != 0 && strcmp(second->path, "-") != 0 &&
           stat(first->path, &a) == 0 && stat(second->path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

static size_t count_matched(const struct connections *table)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++)
        count +=
            table->items[i]->towards_server != NULL &&
            (table->items[i]->http.count > 0 || table->items[i]->towards_server->http.count > 0);
    return count;
}

static void make_leg(const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++)
        table->items[i]->leg = LEG_UPSTREAM;
}

bool one_leg_find(struct recording *first, struct recording *second)
{
    /* What legs_find has left out because it is on no leg is matched again. */
    legs_match(&first->connections, &second->connections);
    if (count_matched(&first->connections) == 0 ||
        (!one_leg_is_given(first, second) && holds_proxy(&second->connections)))
        return false;
    make_leg(&first->connections);
    make_leg(&second->connections);
    return true;
}
