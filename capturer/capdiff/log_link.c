#include "capturer/capdiff/log_link.h"

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/client_index.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/pool.h"
#include "capturer/capdiff/pool_key.h"

/* The exchange of the connection that may be the client's. */
static struct exchange *find(const struct connection *upstream, const struct exchange *client)
{
    for (size_t k = 0; k < upstream->http.count; k++) {
        struct exchange *exchange = upstream->http.items[k];

        if (exchange->before == NULL && exchange->record == NULL &&
            (align_same_call(client, exchange) ||
                slice_equal(pool_method_and_target(client), pool_method_and_target(exchange))) &&
            pool_is_timely(client, exchange))
            return exchange;
    }
    return NULL;
}

static void link_exchange(const struct client_index *upstreams, struct exchange *client)
{
    const struct log_record *record = client->record;
    const struct connection *upstream =
        client_index_find(upstreams, &record->upstream_local, record->ts_ns);
    struct exchange *other =
        upstream != NULL && upstream->towards_client == NULL ? find(upstream, client) : NULL;

    if (other == NULL)
        return;
    client->after = other;
    client->how = PAIR_LOG;
    client->sure = PAIR_SURE;
    other->before = client;
}

void log_link(const struct connections *table)
{
    struct client_index upstreams;

    client_index_init(&upstreams, table, LEG_UPSTREAM);
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        for (size_t k = 0; connection->leg == LEG_CLIENT && k < connection->http.count; k++) {
            struct exchange *exchange = connection->http.items[k];

            if (exchange->after == NULL && exchange->record != NULL &&
                exchange->record->has_upstream_local)
                link_exchange(&upstreams, exchange);
        }
    }
    client_index_deinit(&upstreams);
}
