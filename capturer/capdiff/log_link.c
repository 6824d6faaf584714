#include "capturer/capdiff/log_link.h"

#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/client_index.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/pool.h"
#include "capturer/capdiff/pool_key.h"
#include "lib/http_target.h"

/* The method of a line, and the target, behind which there is a space. */
static struct slice split(struct slice line, struct slice *target)
{
    const char *space = line.len > 1 ? memchr(line.data, ' ', line.len - 1) : NULL;
    size_t method = space != NULL ? (size_t)(space - line.data) + 1 : 0;

    *target = slice_of(line.data + method, method > 0 ? line.len - method - 1 : 0);
    return slice_of(line.data, method);
}

/*
 * A forward proxy is asked by a whole URL, and asks the server by what is behind its authority (RFC
 * 9112 §3.2.2).
 */
static bool asks_the_same(struct slice client, struct slice upstream)
{
    struct slice url, got;
    struct slice method = split(client, &url);
    struct slice authority = http_target_authority(url);

    if (slice_equal(client, upstream))
        return true;
    if (authority.data == NULL || !slice_equal(method, split(upstream, &got)))
        return false;
    const char *rest = authority.data + authority.len;
    struct slice asked = slice_of(rest, (size_t)(url.data + url.len - rest));

    if (asked.len == 0)
        return slice_is(got, "/") || slice_is(got, "*");
    if (asked.data[0] == '?' && got.len > 0 && got.data[0] == '/')
        got = slice_of(got.data + 1, got.len - 1);
    return slice_equal(asked, got);
}

/* The exchange of the connection that may be the client's. */
static struct exchange *find(const struct connection *upstream, const struct exchange *client)
{
    for (size_t k = 0; k < upstream->http.count; k++) {
        struct exchange *exchange = upstream->http.items[k];

        if (exchange->before == NULL && exchange->record == NULL &&
            (align_same_call(client, exchange) ||
                asks_the_same(pool_method_and_target(client), pool_method_and_target(exchange))) &&
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
    exchange_join(client, other);
    client->how = PAIR_LOG;
    client->sure = PAIR_SURE;
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
