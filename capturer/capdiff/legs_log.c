#include "capturer/capdiff/legs_log.h"

#include "capturer/capdiff/client_index.h"

#define RECORDS_MAX 64 /* that are looked at */

/* The port that a connection from there went to, when the record was written; 0: there is none. */
static uint16_t port_from(
    const struct connections *table, const struct endpoint *client, uint64_t ts_ns)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        if (connection_exchanges(connection) > 0 &&
            endpoint_equal(connection_client(connection), client) &&
            connection->first_ns <= ts_ns + CLIENT_INDEX_SLACK_NS &&
            ts_ns <= connection->last_ns + CLIENT_INDEX_SLACK_NS)
            return connection_server(connection)->port;
    }
    return 0;
}

void legs_by_log(
    const struct exchange_log *log, const struct connections *proxy, struct legs_ports *ports)
{
    for (size_t i = 0; i < log->count && i < RECORDS_MAX; i++) {
        const struct log_record *record = log->items[i];

        if (ports->proxy == 0 && record->has_client)
            ports->proxy = port_from(proxy, &record->client, record->ts_ns);
        if (ports->server == 0 && record->has_upstream_local)
            ports->server = port_from(proxy, &record->upstream_local, record->ts_ns);
        if (record->has_upstream_local && !addresses_have(&ports->own, &record->upstream_local) &&
            port_from(proxy, &record->upstream_local, record->ts_ns) != 0)
            addresses_add(&ports->own, &record->upstream_local);
    }
}
