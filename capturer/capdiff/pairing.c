#include "capturer/capdiff/pairing.h"

#include <stdlib.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/legs_log.h"
#include "capturer/capdiff/lone_leg.h"
#include "capturer/capdiff/one_leg.h"
#include "capturer/capdiff/pool.h"
#include "capturer/capdiff/settle.h"

static struct connections *table_of(struct evidence *evidence, enum source source)
{
    return &evidence->recordings[source].connections;
}

/* Exchanges of every pair of connections that belong together. */
static void align_all(const struct connections *near, enum leg leg)
{
    for (size_t i = 0; i < near->count; i++) {
        if (near->items[i]->leg == leg && near->items[i]->towards_server != NULL)
            align_exchanges(near->items[i], near->items[i]->towards_server, true);
    }
}

/* Where the client's own host was recorded: its connections to the proxy. */
static void match_client_host(struct evidence *evidence)
{
    struct connections *host = table_of(evidence, SOURCE_CLIENT_HOST);

    legs_match(host, table_of(evidence, SOURCE_PROXY));
    for (size_t i = 0; i < host->count; i++) {
        struct connection *connection = host->items[i];
        struct connection *other = connection->towards_server;
        bool to_proxy = evidence->legs.has_proxy &&
                        endpoint_equal(connection_server(connection), &evidence->legs.proxy);

        if (other != NULL && other->leg != LEG_CLIENT) {
            other->towards_client = NULL;
            connection->towards_server = NULL;
        }
        if (connection->towards_server != NULL || to_proxy)
            connection->leg = LEG_CLIENT;
    }
    align_all(host, LEG_CLIENT);
}

/* Exchanges of pooled connections, by how they were paired. */
static void count_pooled(struct evidence *evidence, const struct connection *connection)
{
    for (size_t k = 0; k < connection->http.count; k++) {
        const struct exchange *exchange = connection->http.items[k];

        if (exchange->after != NULL)
            evidence->pooled[exchange->how][exchange->sure]++;
    }
}

void pairing_count(struct evidence *evidence, const struct connection *connection)
{
    if (connection->leg == LEG_CLIENT && connection->pooled)
        count_pooled(evidence, connection);
    if (connection->towards_server == NULL || connection_exchanges(connection) == 0)
        return;
    if (connection->sure != PAIR_SURE)
        evidence->unsure_pairs++;
    if (connection->leg == LEG_CLIENT)
        evidence->paired[connection->how]++;
    else if (connection->leg == LEG_UPSTREAM)
        evidence->matched[connection->how]++;
}

static void swap(struct recording *a, struct recording *b)
{
    struct recording kept = *a;

    *a = *b;
    *b = kept;
}

/* Finds the legs; if the first capture holds no proxy and the second one does, it comes first. */
static void find_legs(struct evidence *evidence, const struct legs_ports *ports)
{
    struct recording *proxy = &evidence->recordings[SOURCE_PROXY];
    struct recording *server = &evidence->recordings[SOURCE_SERVER];

    legs_find(proxy, server, ports, &evidence->legs);
    if (evidence->legs.has_proxy || ports->proxy != 0 || ports->server != 0)
        return;
    for (int i = 0; i < 2; i++) {
        legs_forget(&proxy->connections);
        legs_forget(&server->connections);
        swap(proxy, server);
        legs_find(proxy, server, ports, &evidence->legs);
        evidence->turned = i == 0 && evidence->legs.has_proxy;
        if (evidence->turned)
            return;
    }
}

/* Finds the legs, or that there is one leg only. */
static void find_legs_or_one(struct evidence *evidence, const struct legs_ports *ports)
{
    struct recording *proxy = &evidence->recordings[SOURCE_PROXY];
    struct recording *server = &evidence->recordings[SOURCE_SERVER];

    if (!one_leg_is_given(proxy, server) || ports->proxy != 0 || ports->server != 0)
        find_legs(evidence, ports);
    if (!evidence->legs.has_proxy && !evidence->has_log && !evidence->has[SOURCE_CLIENT_HOST] &&
        ports->proxy == 0 && one_leg_find(proxy, server)) {
        evidence->legs.one_leg = true;
        evidence->legs.other_proxy = evidence->legs.other_server = 0;
    }
}

/* A connection of the upstream leg is in the server's recording. */
static bool are_borne_out(const struct connections *proxy)
{
    for (size_t i = 0; i < proxy->count; i++) {
        if (proxy->items[i]->leg == LEG_UPSTREAM && proxy->items[i]->towards_server != NULL)
            return true;
    }
    return false;
}

/* What is known of the ports, by the options or, what connections bear out, by the log. */
static const struct legs_ports *told_ports(
    struct evidence *evidence, const struct legs_ports *ports)
{
    if (ports->proxy != 0)
        evidence->told.proxy = ports->proxy;
    if (ports->server != 0)
        evidence->told.server = ports->server;
    if (evidence->has_log)
        legs_by_log(&evidence->log, table_of(evidence, SOURCE_PROXY), &evidence->told);
    return &evidence->told;
}

bool pairing_begin(struct evidence *evidence, const struct legs_ports *ports, bool pressed)
{
    const struct legs *legs = &evidence->legs;

    find_legs_or_one(evidence, told_ports(evidence, ports));
    if (legs->one_leg || (legs->has_proxy && legs->has_server &&
                             (pressed || are_borne_out(table_of(evidence, SOURCE_PROXY)))))
        return true;
    legs_forget(table_of(evidence, SOURCE_PROXY));
    legs_forget(table_of(evidence, SOURCE_SERVER));
    return false;
}

static void pair(struct evidence *evidence)
{
    struct connections *proxy = table_of(evidence, SOURCE_PROXY);
    struct connections *server = table_of(evidence, SOURCE_SERVER);

    pair_by_content(proxy, server);
    /* The way to the server is known; the legs meet in the proxy. */
    pair_legs(proxy, evidence->has_log ? &evidence->log : NULL);
    align_all(proxy, LEG_UPSTREAM);
    align_all(proxy, LEG_CLIENT);
}

bool pairing_was_hasty(const struct evidence *evidence, const struct legs_ports *ports)
{
    const struct legs *legs = &evidence->legs;
    struct legs again;
    enum source first = evidence->turned ? SOURCE_SERVER : SOURCE_PROXY;

    if (!evidence->settled.begun ||
        one_leg_is_given(&evidence->recordings[SOURCE_PROXY], &evidence->recordings[SOURCE_SERVER]))
        return false;
    if (evidence->told.proxy != 0 || evidence->told.server != 0 || evidence->told.own.count > 0)
        ports = &evidence->told;
    legs_choose(&evidence->recordings[first].connections, ports, &again);
    if (!again.has_proxy || !again.has_server)
        return false;
    return legs->one_leg || evidence->turned || !endpoint_equal(&legs->proxy, &again.proxy) ||
           !endpoint_equal(&legs->server, &again.server) || legs->n_ports != again.n_ports;
}

/* All has been read: where the server was never asked, the client leg alone is to be found. */
static void find_any_legs(struct evidence *evidence, const struct legs_ports *ports)
{
    struct legs *legs = &evidence->legs;

    ports = told_ports(evidence, ports);
    find_legs_or_one(evidence, ports);
    if (legs->has_proxy || legs->one_leg)
        return;
    for (int i = 0; i < 2 && !legs->has_proxy; i++) {
        legs->has_proxy = lone_leg_find(evidence, ports, &legs->proxy);
        evidence->turned = i == 1 && legs->has_proxy;
        if (!legs->has_proxy)
            swap(&evidence->recordings[SOURCE_PROXY], &evidence->recordings[SOURCE_SERVER]);
    }
    legs->lone = legs->has_proxy;
    if (!legs->lone)
        return;
    /* Where both recordings hold it, it was taken for what they have in common. */
    legs->has_server = legs->has_server && !endpoint_equal(&legs->server, &legs->proxy);
    legs_forget(table_of(evidence, SOURCE_PROXY));
    legs_forget(table_of(evidence, SOURCE_SERVER));
    legs->other_proxy = legs->other_server = 0;
    legs_complete(table_of(evidence, SOURCE_PROXY), table_of(evidence, SOURCE_SERVER), legs);
}

/* The same as one that was asked before, and is not held in memory any more. */
static void mark_known(struct evidence *evidence, enum source source)
{
    const struct connections *table = table_of(evidence, source);

    for (size_t i = 0; evidence->settled.begun && i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        for (size_t k = 0; table->items[i]->leg == LEG_UPSTREAM && k < http->count; k++) {
            struct exchange *exchange = http->items[k];

            if (exchange->before == NULL && settle_knows(&evidence->settled, exchange))
                exchange->repeated = true;
        }
    }
}

void pairing_finish(struct evidence *evidence, const struct legs_ports *ports)
{
    struct connections *proxy = table_of(evidence, SOURCE_PROXY);
    struct connections *server = table_of(evidence, SOURCE_SERVER);

    if (evidence->settled.begun)
        legs_complete(proxy, server, &evidence->legs);
    else
        find_any_legs(evidence, ports);
    pair(evidence);
    if (evidence->settled.pooled)
        pool_pair_again(proxy);
    else
        (void)pool_pair(proxy);
    pool_mark_repeated(proxy);
    pool_mark_repeated(server);
    mark_known(evidence, SOURCE_PROXY);
    mark_known(evidence, SOURCE_SERVER);
    if (evidence->has[SOURCE_CLIENT_HOST])
        match_client_host(evidence);
    clock_offset_find(
        &evidence->clocks[SOURCE_CLIENT_HOST], table_of(evidence, SOURCE_CLIENT_HOST), LEG_CLIENT);
    clock_offset_find(&evidence->clocks[SOURCE_SERVER], proxy, LEG_UPSTREAM);
    clock_offset_end(&evidence->clocks[SOURCE_CLIENT_HOST]);
    clock_offset_end(&evidence->clocks[SOURCE_SERVER]);
    for (size_t i = 0; i < proxy->count; i++)
        pairing_count(evidence, proxy->items[i]);
}
