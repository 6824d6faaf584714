/* Exchanges that some view has not got. */
#include <stdio.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/verdict_state.h"

#define MOMENT_NS 1000000u /* that a client stays connected if it wants an answer */

static bool is_sure_and_over(const struct connection *connection)
{
    return connection != NULL && connection_is_sure(connection) && connection_has_ended(connection);
}

/* The time that an exchange took, as a view that has it saw it. */
static void span_of(const struct exchange *exchange, uint64_t *first_ns, uint64_t *last_ns)
{
    const struct message *request = &exchange->request, *response = &exchange->response;

    *first_ns = request->first_ns != 0 ? request->first_ns : response->first_ns;
    *last_ns = request->last_ns > response->last_ns ? request->last_ns : response->last_ns;
}

/* The exchange, seen by VIEW, was before or after all that SOURCE has recorded. */
static bool is_outside(const struct evidence *evidence, enum source source,
    const struct exchange *exchange, enum view view)
{
    const struct capture_facts *facts = &evidence->recordings[source].facts;
    uint64_t first_ns, last_ns;

    span_of(exchange, &first_ns, &last_ns);
    return facts->packets == 0 ||
           evidence_time(evidence, view_source(view), last_ns) <
               evidence_time(evidence, source, facts->first_ns) ||
           evidence_time(evidence, view_source(view), first_ns) >
               evidence_time(evidence, source, facts->last_ns);
}

/* One of the exchange's counterparts has bytes that were acknowledged and not recorded. */
static bool lies_in_a_gap(const struct exchange *exchange)
{
    const struct connection *near = exchange->connection->towards_client;
    const struct connection *far = exchange->connection->towards_server;

    return (near != NULL && connection_gaps(near) > 0) || (far != NULL && connection_gaps(far) > 0);
}

/* Why SOURCE may not have an exchange that another recording has. */
static enum doubt_kind absence_of(
    const struct court *court, const struct crossing *crossing, enum source source)
{
    const struct capture_facts *facts = &court->evidence->recordings[source].facts;
    enum doubt_kind kind = DOUBT_LACKS;

    for (int view = 0; view < VIEWS; view++) {
        const struct exchange *exchange = crossing->at[view];

        if (exchange == NULL)
            continue;
        if (view_source((enum view)view) != source &&
            is_outside(court->evidence, source, exchange, (enum view)view))
            return DOUBT_OUTSIDE;
        if (lies_in_a_gap(exchange) || facts->dropped > 0 || facts->fragments > 0)
            kind = DOUBT_MISSED;
    }
    return kind;
}

void verdict_lacks(struct court *court, struct case_state *state, enum source source)
{
    enum doubt_kind kind = absence_of(court, state->crossing, source);

    findings_doubt(court->findings, kind, source, state->crossing);
    state->doubted = true;
}

/* Of the way from the client leg on nothing can be missing. */
static bool is_sure_of_upstream(const struct court *court, const struct exchange *client)
{
    const struct connection *upstream = client->connection->towards_server;
    const struct log_record *record = client->record;

    if (court->evidence->legs.lone && record != NULL && record->has_upstream_local)
        return false; /* it was not recorded */
    return !court->proxy_lacks && court->evidence->settled.given_up[SOURCE_PROXY] == 0 &&
           connection_is_sure(client->connection) &&
           (upstream != NULL ? connection_is_sure(upstream) : !court->upstream_unsure);
}

/* The client waited for an answer, for a moment at least, until its connection was over. */
static bool has_waited(const struct exchange *client)
{
    uint64_t left_ns = connection_client_left_ns(client->connection);

    return client->request.state == MESSAGE_WHOLE && client->response.state == MESSAGE_NONE &&
           connection_has_ended(client->connection) &&
           !client->connection->http.sides[SIDE_SERVER].closing && /* or it was not to get one */
           (left_ns == 0 || left_ns > client->request.last_ns + MOMENT_NS);
}

void verdict_unforwarded(struct court *court, struct case_state *state)
{
    const struct exchange *client = state->crossing->at[VIEW_CLIENT_LEG];
    char text[80];

    if (verdict_ended_request(court, state)) {
        court->findings->declared_unasked++;
        return;
    }
    if (!is_sure_of_upstream(court, client)) {
        verdict_lacks(court, state, SOURCE_PROXY);
        return;
    }
    if (has_waited(client) && evidence_is_whole(court->evidence, SOURCE_PROXY)) {
        findings_say(court->findings, FINDING_DROPPED, HOP_PROXY, state->crossing,
            "request, which went no further: the server was never asked, and the client got no "
            "answer");
        return;
    }
    if (client->response.state != MESSAGE_WHOLE) {
        state->incomplete[1] = true;
        return;
    }
    snprintf(
        text, sizeof(text), "answered by the proxy with %d, server never asked", client->status);
    findings_say(court->findings, FINDING_UNASKED, HOP_PROXY, state->crossing, text);
}

static bool shares_host(const struct connection *connection)
{
    return endpoint_same_address(connection_client(connection), connection_server(connection)) ||
           endpoint_is_loopback(connection_client(connection));
}

/* It comes from where a connection that is known to be the proxy's comes from, too. */
static bool is_from_proxy(const struct addresses *proxy, const struct connection *connection)
{
    return addresses_have(proxy, connection_client(connection));
}

/* A request that was sent before is another matter than one that nobody made. */
static void say_unasked_for(struct court *court, const struct case_state *state,
    const struct exchange *exchange, enum hop hop, const char *text)
{
    if (exchange->repeated)
        findings_say(court->findings, FINDING_DUPLICATED, hop, state->crossing,
            "replayed: the server was asked again what it had been asked, and the other side asked "
            "once");
    else
        findings_say(court->findings, FINDING_INVENTED, hop, state->crossing, text);
}

bool verdict_unasked_for(struct court *court, struct case_state *state)
{
    const struct connection *upstream = state->crossing->at[VIEW_UPSTREAM_LEG]->connection;
    const struct connection *client = upstream->towards_client;
    const struct recording *proxy = &court->evidence->recordings[SOURCE_PROXY];

    if (verdict_copy(court, state))
        return true;
    if (client == NULL && !upstream->pooled && !proxy->facts.payload &&
        (shares_host(upstream) || !is_from_proxy(&court->at_proxy, upstream)) &&
        !court->client_unsure &&
        !verdict_is_replay(court, state->crossing->at[VIEW_UPSTREAM_LEG])) {
        court->findings->aside++;
        return false;
    }
    if (!connection_is_sure(upstream) ||
        (client != NULL ? !connection_is_sure(client) : court->client_unsure) ||
        !evidence_is_whole(court->evidence, SOURCE_PROXY))
        verdict_lacks(court, state, SOURCE_PROXY);
    else
        say_unasked_for(court, state, state->crossing->at[VIEW_UPSTREAM_LEG], HOP_PROXY,
            "injected: the server was asked, and no client had asked the proxy");
    return true;
}

void verdict_unseen(struct court *court, struct case_state *state)
{
    const struct exchange *upstream = state->crossing->at[VIEW_UPSTREAM_LEG];
    const struct connection *server = upstream->connection->towards_server;

    if (verdict_is_veiled(court, state))
        return;
    if (is_sure_and_over(server) && connection_is_sure(upstream->connection) &&
        upstream->response.state == MESSAGE_WHOLE &&
        evidence_is_whole(court->evidence, SOURCE_SERVER))
        findings_say(court->findings, FINDING_LOST, HOP_PROXY_TO_SERVER, state->crossing,
            "sent by the proxy and answered, and the server never saw it");
    else
        verdict_lacks(court, state, SOURCE_SERVER);
}

/* An exchange at the server that may be the proxy's: one the log, or a client, asked for. */
static bool is_called_for(const struct open_calls *open, const struct exchange *exchange)
{
    for (size_t i = 0; i < open->n_told && exchange_call_id(exchange) != NULL; i++) {
        const char *call_id = open->told[i]->call_id;

        if (call_id != NULL && strcmp(call_id, exchange_call_id(exchange)) == 0)
            return true;
    }
    for (size_t i = 0; i < open->n_asked; i++) {
        if (align_same_call(open->asked[i], exchange))
            return true;
    }
    return false;
}

static bool is_before_or_after(const struct capture_facts *facts, uint64_t time_ns)
{
    return facts->packets == 0 || time_ns < facts->first_ns || time_ns > facts->last_ns;
}

void verdict_server_only(struct court *court, struct case_state *state)
{
    const struct exchange *exchange = state->crossing->at[VIEW_SERVER];
    const struct connection *server = exchange->connection;
    const struct recording *proxy = &court->evidence->recordings[SOURCE_PROXY];

    if (verdict_is_veiled_server(court, state))
        return;
    if (is_sure_and_over(server->towards_client) && connection_is_sure(server) &&
        evidence_is_whole(court->evidence, SOURCE_PROXY)) {
        say_unasked_for(court, state, exchange, HOP_PROXY_TO_SERVER,
            "injected: the server was asked on the proxy's connection, and the proxy had not "
            "asked");
        return;
    }
    if (server->towards_client == NULL) {
        bool known = is_from_proxy(&court->at_server, server);
        bool others = !known && court->at_server.count > 0;

        /* On one host the address does not tell the proxy from anybody else. */
        if (shares_host(server) && !others)
            others = !is_called_for(&court->open, exchange) &&
                     (court->evidence->has_log ||
                         !is_before_or_after(&proxy->facts, state->crossing->time_ns));
        if (others) {
            court->findings->aside++;
            return;
        }
    }
    court->proxy_lacks = true;
    verdict_lacks(court, state, SOURCE_PROXY);
}
