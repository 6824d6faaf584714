/* TLS: what passes is compared as bytes; what the proxy takes apart cannot be read. */
#include <string.h>

#include "capturer/capdiff/verdict_state.h"

/* A client's TLS ends at the proxy: nothing like it goes on. */
static bool ends_here(const struct exchange *client)
{
    return client->tls && client->response.len > 0 && client->after == NULL;
}

static bool is_taken_apart(const struct court *court)
{
    const struct connections *proxy = &court->evidence->recordings[SOURCE_PROXY].connections;

    for (size_t i = 0; i < proxy->count; i++) {
        const struct connection *connection = proxy->items[i];
        const struct exchanges *http = &connection->http;

        /* TLS comes last on a connection, for nothing ends it but the connection's end. */
        if (connection->leg == LEG_CLIENT && http->tls && http->count > 0 &&
            ends_here(http->items[http->count - 1]))
            return true;
    }
    return false;
}

bool verdict_is_apart(const struct court *court, struct case_state *state)
{
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];
    const struct exchange *upstream = state->crossing->at[VIEW_UPSTREAM_LEG];
    bool apart = client != NULL ? ends_here(client) : upstream->tls && is_taken_apart(court);

    state->doubted = state->doubted || apart;
    return apart;
}

/* One recording has the connection as TLS, and the other what was said within it. */
static bool is_veiled(const struct exchange *exchange, const struct connection *counterpart)
{
    return counterpart != NULL && connection_exchanges(counterpart) > 0 &&
           exchange->tls != counterpart->http.tls;
}

bool verdict_is_veiled_client(struct court *court, struct case_state *state)
{
    const struct exchange *host = state->crossing->at[VIEW_CLIENT_HOST];
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];

    if (host != NULL && client == NULL && is_veiled(host, host->connection->towards_server)) {
        if (host->tls)
            findings_doubt(court->findings, DOUBT_TLS, SOURCE_CLIENT_HOST, state->crossing);
        return true;
    }
    if (client == NULL || host != NULL || !is_veiled(client, client->connection->towards_client))
        return false;
    if (client->tls)
        findings_doubt(court->findings, DOUBT_TLS, SOURCE_PROXY, state->crossing);
    return true;
}

bool verdict_is_veiled(struct court *court, struct case_state *state)
{
    const struct exchange *upstream = state->crossing->at[VIEW_UPSTREAM_LEG];

    if (!is_veiled(upstream, upstream->connection->towards_server))
        return false;
    if (upstream->tls && !state->doubted)
        findings_doubt(court->findings, DOUBT_TLS, SOURCE_PROXY, state->crossing);
    court->findings->in_proxy += state->crossing->at[VIEW_CLIENT_LEG] != NULL;
    state->doubted = true;
    return true;
}

bool verdict_is_veiled_server(struct court *court, struct case_state *state)
{
    const struct exchange *server = state->crossing->at[VIEW_SERVER];

    if (!is_veiled(server, server->connection->towards_client))
        return false;
    if (server->tls)
        findings_doubt(court->findings, DOUBT_TLS, SOURCE_SERVER, state->crossing);
    return true;
}

/* A handshake that failed, with one end or the other: of that a payload capture has no byte. */
static bool failed_unseen(const struct court *court, const struct log_record *record)
{
    return court->evidence->recordings[SOURCE_PROXY].facts.payload && record->method == NULL &&
           record->error != NULL &&
           (strcmp(record->error, "client_tls") == 0 || strcmp(record->error, "upstream_tls") == 0);
}

bool verdict_log_unveils(const struct court *court, const struct log_record *record)
{
    const struct connections *proxy = &court->evidence->recordings[SOURCE_PROXY].connections;
    bool failed = failed_unseen(court, record);

    if (!record->has_client ||
        (!failed && court->findings->doubts[DOUBT_TLS][SOURCE_PROXY].count == 0))
        return false;
    for (size_t i = 0; i < proxy->count; i++) {
        const struct connection *connection = proxy->items[i];

        if ((failed || (connection->leg == LEG_CLIENT && connection->http.tls)) &&
            endpoint_equal(connection_client(connection), &record->client))
            return true;
    }
    return false;
}

bool verdict_has_unread_tls(const struct findings *findings)
{
    for (int i = 0; i < SOURCES; i++) {
        if (findings->doubts[DOUBT_TLS][i].count > 0)
            return true;
    }
    return false;
}
