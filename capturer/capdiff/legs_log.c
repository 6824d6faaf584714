#include "capturer/capdiff/legs_log.h"

#include "capturer/capdiff/client_index.h"

#define RECORDS_MAX 64 /* that are looked at */

/* The connection from there, as it was when the record was written; NULL: there is none. */
static const struct connection *connection_from(
    const struct connections *table, const struct endpoint *client, uint64_t ts_ns)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        if (connection_exchanges(connection) > 0 &&
            endpoint_equal(connection_client(connection), client) &&
            connection->first_ns <= ts_ns + CLIENT_INDEX_SLACK_NS &&
            ts_ns <= connection->last_ns + CLIENT_INDEX_SLACK_NS)
            return connection;
    }
    return NULL;
}

void legs_by_log(
    const struct exchange_log *log, const struct connections *proxy, struct legs_ports *ports)
{
    for (size_t i = 0; i < log->count && i < RECORDS_MAX; i++) {
        const struct log_record *record = log->items[i];
        const struct connection *client =
            record->has_client ? connection_from(proxy, &record->client, record->ts_ns) : NULL;
        const struct connection *upstream =
            record->has_upstream_local
                ? connection_from(proxy, &record->upstream_local, record->ts_ns)
                : NULL;

        if (client != NULL) {
            addresses_add(&ports->called, connection_server(client));
            ports->proxy = ports->proxy != 0 ? ports->proxy : connection_server(client)->port;
        }
        if (upstream != NULL) {
            addresses_add(&ports->own, connection_client(upstream));
            ports->server = ports->server != 0 ? ports->server : connection_server(upstream)->port;
        }
    }
}
