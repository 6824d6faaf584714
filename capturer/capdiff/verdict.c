#include "capturer/capdiff/verdict.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/verdict_state.h"

/* Quality first: what each recording shows about itself. */
static void doubt_recordings(struct court *court)
{
    for (int i = 0; i < SOURCES; i++) {
        const struct recording *recording = &court->evidence->recordings[i];

        if (!court->evidence->has[i])
            continue;
        if (recording->facts.end == CAPTURE_CUT)
            findings_doubt(court->findings, DOUBT_CUT, (enum source)i, NULL);
        if (recording->facts.end == CAPTURE_DAMAGED)
            findings_doubt(court->findings, DOUBT_DAMAGED, (enum source)i, NULL);
        if (recording->facts.fragments > 0)
            findings_doubt(court->findings, DOUBT_FRAGMENTS, (enum source)i, NULL);
        if (recording->facts.dropped > 0)
            findings_doubt(court->findings, DOUBT_DROPPED, (enum source)i, NULL);
        for (uint64_t k = 0; k < recording->mixed; k += 2)
            findings_doubt(court->findings, DOUBT_SAME_ENDS, (enum source)i, NULL);
    }
}

static void say_overlap(
    struct court *court, const struct recording *recording, const struct connection *connection)
{
    enum hop hop = court->evidence->legs.one_leg   ? HOP_BETWEEN
                   : connection->leg == LEG_CLIENT ? HOP_CLIENT_TO_PROXY
                                                   : HOP_PROXY_TO_SERVER;
    const struct clash *clash = connection->clash;
    char from[HOSTPORT_TEXT_MAX], to[HOSTPORT_TEXT_MAX];
    char text[2 * HOSTPORT_TEXT_MAX + 512];
    struct crossing where = {.time_ns = clash->time_ns};
    struct place place = {0};

    snprintf(text, sizeof(text),
        "%s: %llu segment%s between %s and %s with other bytes under sequence numbers seen before; "
        "the first one from %s, sequence number %u",
        recording->name, (unsigned long long)connection->clashes,
        connection->clashes == 1 ? "" : "s", endpoint_text(connection_client(connection), from),
        endpoint_text(connection_server(connection), to),
        clash->sender == connection->client ? "the client" : "the server",
        clash->seq + (uint32_t)clash->at);
    place.text = memory_copy(text);
    place.before = excerpt_around(slice_of(clash->before, clash->len), clash->at);
    place.after = excerpt_around(slice_of(clash->later, clash->len), clash->at);
    findings_add(court->findings, FINDING_OVERLAP, hop, &where, &place);
}

static void doubt_connections(struct court *court, enum source source)
{
    const struct recording *recording = &court->evidence->recordings[source];

    for (size_t i = 0; i < recording->connections.count; i++) {
        const struct connection *connection = recording->connections.items[i];
        struct crossing where = {.time_ns = connection->first_ns};

        if (connection->leg == LEG_OTHER ||
            (connection->towards_client == NULL && connection->towards_server == NULL &&
                !connection->pooled))
            continue;
        if (connection->late && connection_carried_data(connection))
            findings_doubt(court->findings, DOUBT_LATE, source, &where);
        if (connection_gaps(connection) > 0)
            findings_doubt(court->findings, DOUBT_GAP, source, &where);
        if (connection->clashes > 0)
            say_overlap(court, recording, connection);
    }
}

static void judge_client_host(struct court *court, struct case_state *state)
{
    const struct crossing *crossing = state->crossing;

    if (!court->evidence->has[SOURCE_CLIENT_HOST])
        return;
    if (verdict_is_veiled_client(court, state))
        return;
    if (crossing->at[VIEW_CLIENT_HOST] != NULL && crossing->at[VIEW_CLIENT_LEG] != NULL)
        verdict_hop(court, state, HOP_CLIENT_TO_PROXY, VIEW_CLIENT_HOST);
    else if (crossing->at[VIEW_CLIENT_LEG] != NULL)
        verdict_lacks(court, state, SOURCE_CLIENT_HOST);
    else if (crossing->at[VIEW_CLIENT_HOST] != NULL)
        verdict_lacks(court, state, SOURCE_PROXY);
}

bool verdict_is_incomplete(const struct case_state *state)
{
    return (state->incomplete[0] && !state->excused[0]) ||
           (state->incomplete[1] && !state->excused[1]);
}

static void judge_crossing(struct court *court, const struct crossing *crossing)
{
    struct case_state state = {.crossing = crossing};
    bool client = crossing->at[VIEW_CLIENT_LEG] != NULL;
    bool upstream = crossing->at[VIEW_UPSTREAM_LEG] != NULL;
    bool server = crossing->at[VIEW_SERVER] != NULL;

    judge_client_host(court, &state);
    if (client && upstream)
        verdict_hop(court, &state, HOP_PROXY, VIEW_CLIENT_LEG);
    else if ((client || upstream) && verdict_is_apart(court, &state))
        findings_doubt(court->findings, DOUBT_TLS, SOURCE_PROXY, crossing);
    else if (client && !crossing->at[VIEW_CLIENT_LEG]->connected) /* a CONNECT is the proxy's own */
        verdict_unforwarded(court, &state);
    else if (upstream && !verdict_unasked_for(court, &state))
        return;
    if (upstream && server)
        verdict_hop(court, &state, HOP_PROXY_TO_SERVER, VIEW_UPSTREAM_LEG);
    else if (upstream)
        verdict_unseen(court, &state);
    court->findings->compared += client && upstream && server;
    court->findings->unread +=
        client && upstream && server && exchange_is_unread(crossing->at[VIEW_CLIENT_LEG]);
    if (verdict_is_incomplete(&state) && crossing->record != NULL &&
        crossing->record->error != NULL)
        court->findings->consistent_cuts++;
    else if (verdict_is_incomplete(&state) && !state.doubted)
        findings_doubt(court->findings, DOUBT_INCOMPLETE, SOURCE_PROXY, crossing);
    verdict_log_crossing(court, &state);
}

static bool is_server_only(const struct crossing *crossing)
{
    return crossing->at[VIEW_SERVER] != NULL && crossing->at[VIEW_UPSTREAM_LEG] == NULL;
}

/* Addresses of connections on the upstream leg that the other recording bears out. */
static void collect_addresses(struct addresses *addresses, const struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct connection *connection = table->items[i];

        if (connection->leg == LEG_UPSTREAM &&
            (connection->towards_client != NULL || connection->pooled))
            addresses_add(addresses, connection_client(connection));
    }
}

/* The recording has a connection on this leg that it does not have all of. */
static bool leg_is_unsure(const struct connections *table, enum leg leg)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i]->leg == leg && connection_is_doubtful(table->items[i]))
            return true;
    }
    return false;
}

static void collect_open_calls(struct open_calls *open, const struct evidence *evidence)
{
    open->asked = memory_new(evidence->count, sizeof(struct exchange *));
    open->told = memory_new(evidence->log.count, sizeof(struct log_record *));
    for (size_t i = 0; i < evidence->count; i++) {
        const struct crossing *crossing = &evidence->crossings[i];

        if (crossing->at[VIEW_CLIENT_LEG] != NULL && crossing->at[VIEW_UPSTREAM_LEG] == NULL)
            open->asked[open->n_asked++] = crossing->at[VIEW_CLIENT_LEG];
    }
    for (size_t i = 0; i < evidence->log.count; i++) {
        if (evidence->log.items[i]->seen == NULL)
            open->told[open->n_told++] = evidence->log.items[i];
    }
}

static void court_init(struct court *court)
{
    const struct connections *proxy = &court->evidence->recordings[SOURCE_PROXY].connections;
    const struct connections *server = &court->evidence->recordings[SOURCE_SERVER].connections;

    collect_open_calls(&court->open, court->evidence);
    verdict_copies_init(court);
    court->at_proxy = court->evidence->settled.at_proxy;
    court->at_server = court->evidence->settled.at_server;
    collect_addresses(&court->at_proxy, proxy);
    collect_addresses(&court->at_server, server);
    court->client_unsure =
        court->evidence->settled.unsure[LEG_CLIENT] || leg_is_unsure(proxy, LEG_CLIENT);
    court->upstream_unsure =
        court->evidence->settled.unsure[LEG_UPSTREAM] || leg_is_unsure(proxy, LEG_UPSTREAM);
}

static void doubt_emptiness(struct court *court)
{
    const struct evidence *evidence = court->evidence;
    const struct findings *findings = court->findings;

    if (evidence->recordings[SOURCE_PROXY].mixed > 0)
        return; /* which says enough */
    if (evidence->recordings[SOURCE_PROXY].exchanges > 0 && !evidence->legs.has_proxy &&
        !evidence->legs.one_leg)
        findings_doubt(court->findings, DOUBT_NO_LEG, SOURCE_PROXY, NULL);
    if (findings->compared == 0 && findings->declared_unasked == 0 && findings->total == 0 &&
        !verdict_has_unread_tls(findings))
        findings_doubt(court->findings, DOUBT_NOTHING, SOURCE_PROXY, NULL);
}

void verdict_count(const struct evidence *evidence, const struct option_list *ignore,
    const struct crossing *crossing, struct tally *tally)
{
    struct findings findings = {.counting = true};
    struct court court = {.findings = &findings, .evidence = evidence, .ignore = ignore};

    if (evidence->legs.one_leg)
        verdict_one_leg(&court, &(struct case_state){.crossing = crossing});
    else
        judge_crossing(&court, crossing);
    tally->compared += findings.compared;
    tally->differ += findings.total > 0;
    for (int hop = 0; hop < HOPS; hop++)
        tally->per_hop[hop] += findings.per_hop[hop];
    tally->declared += findings.declared;
    tally->ignored += findings.ignored;
    findings_deinit(&findings);
}

/* What was judged before all was read. */
static void begin_with(struct findings *findings, const struct settled *settled)
{
    const struct tally *tally = &settled->tally;

    findings->compared = settled->exchanges + tally->compared;
    findings->unread = settled->unread;
    findings->exchanges = tally->differ;
    findings->declared = tally->declared;
    findings->ignored = tally->ignored;
    for (int hop = 0; hop < HOPS; hop++) {
        findings->per_hop[hop] = tally->per_hop[hop];
        findings->total += tally->per_hop[hop];
    }
    for (int i = 0; i < SOURCES; i++)
        findings->doubts[DOUBT_CROWDED][i].count = settled->given_up[i];
}

void verdict_find(
    struct findings *findings, const struct evidence *evidence, const struct option_list *ignore)
{
    struct court court = {.findings = findings, .evidence = evidence, .ignore = ignore};

    memset(findings, 0, sizeof(*findings));
    begin_with(findings, &evidence->settled);
    court_init(&court);
    doubt_recordings(&court);
    for (int i = 0; i < SOURCES; i++) {
        if (evidence->has[i])
            doubt_connections(&court, (enum source)i);
    }
    /* What only the server saw comes first: it may mean that the proxy's recording has holes. */
    for (size_t i = 0; i < evidence->count; i++) {
        struct case_state state = {.crossing = &evidence->crossings[i]};

        if (is_server_only(state.crossing) && !evidence->legs.one_leg)
            verdict_server_only(&court, &state);
    }
    for (size_t i = 0; i < evidence->count; i++) {
        uint64_t before = findings->total;

        if (evidence->legs.one_leg)
            verdict_one_leg(&court, &(struct case_state){.crossing = &evidence->crossings[i]});
        else if (!is_server_only(&evidence->crossings[i]))
            judge_crossing(&court, &evidence->crossings[i]);
        findings->exchanges += findings->total > before;
    }
    verdict_copies_rest(&court);
    verdict_log_rest(&court);
    doubt_emptiness(&court);
    free(court.open.asked);
    free(court.open.told);
    verdict_copies_deinit(&court);
}
