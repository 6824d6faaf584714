#include "capturer/capdiff/settle.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/log_tunnel.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/numbering.h"
#include "capturer/capdiff/pairing.h"
#include "capturer/capdiff/pool.h"
#include "capturer/capdiff/settle_state.h"
#include "capturer/capdiff/verdict.h"

#define MIB ((size_t)1024 * 1024)
#define HOLD 4             /* MiB that are held before it is worth while */
#define HOLD_LISTED 48     /* the same, for reports that list exchanges */
#define AGAIN (8 * MIB)    /* bytes that have to come before all are looked through once more */
#define POOL_FROM MIB      /* bytes of exchanges that tell a pool from chance */
#define CROWDED (64 * MIB) /* bytes beyond those, from which on what differs is only counted */
#define GIVE_UP (96 * MIB) /* … and what lacks a view is given up */

static size_t held(const struct evidence *evidence)
{
    size_t sum = 0;

    for (int i = 0; i < SOURCES; i++)
        sum += evidence->has[i] ? evidence->recordings[i].connections.shared->messages.held : 0;
    return sum;
}

struct connections *settle_table(struct evidence *evidence, int source)
{
    return &evidence->recordings[source].connections;
}

static bool lists_exchanges(const struct capdiff_options *options)
{
    return options->format == FORMAT_HTML || options->format == FORMAT_JUNIT ||
           options->har_path != NULL;
}

/* What is there so far is what the report lists. */
static void list_all(struct evidence *evidence)
{
    for (int source = 0; source < SOURCES; source++) {
        const struct connections *table = settle_table(evidence, source);

        for (size_t i = 0; evidence->has[source] && i < table->count; i++) {
            for (size_t k = 0; k < table->items[i]->http.count; k++)
                table->items[i]->http.items[k]->listed = true;
        }
    }
}

size_t settle_hold(const struct capdiff_options *options)
{
    if (options->hold_mib != OPTIONS_HOLD)
        return MIB * options->hold_mib;
    return MIB * (lists_exchanges(options) ? HOLD_LISTED : HOLD);
}

/* What is held, the connections included. */
static size_t held_in_all(struct evidence *evidence)
{
    size_t sum = held(evidence);

    for (int source = 0; source < SOURCES; source++)
        sum += settle_table(evidence, source)->count * sizeof(struct connection);
    return sum;
}

/* True once the legs are known. */
static bool begin(struct evidence *evidence, const struct capdiff_options *options)
{
    struct settled *settled = &evidence->settled;

    if (settled->begun)
        return true;
    if (settled->settling == NULL) {
        settled->settling = memory_new(1, sizeof(*settled->settling));
        settled->settling->requests = settled_requests_new();
    }
    if (held_in_all(evidence) < settled->hold || held_in_all(evidence) < 2 * settled->asked_at)
        return false;
    settled->asked_at = held_in_all(evidence);
    settle_bury(evidence); /* nothing is to be paired with those that go */
    settled->begun =
        pairing_begin(evidence, &options->ports, held_in_all(evidence) > settled->hold + CROWDED);
    if (!settled->begun)
        return false;
    if (lists_exchanges(options))
        list_all(evidence);
    return true;
}

static bool is_whole(const struct exchange *exchange)
{
    return exchange->request.state == MESSAGE_WHOLE && exchange->response.state == MESSAGE_WHOLE;
}

static bool same_digest(const char *logged, const struct message *message)
{
    char hex[SHA256_HEX_SIZE];

    return logged == NULL || strcmp(logged, message_content_sha256(message, hex)) == 0;
}

/* The record tells of the exchange as it was, and of nothing else. */
static bool is_borne_out(const struct log_record *record, const struct exchange *exchange)
{
    uint64_t bytes;

    return record != NULL && record->n_changes == 0 && record->n_unknown == 0 &&
           record->error == NULL && (record->status == 0 || record->status == exchange->status) &&
           log_match_line(record, exchange) &&
           same_digest(record->request_sha256, &exchange->request) &&
           same_digest(record->response_sha256, &exchange->response) &&
           log_tunnel_holds(record, exchange, true, &bytes) &&
           (exchange->after == NULL || log_tunnel_holds(record, exchange->after, false, &bytes));
}

/* It came through all views from VIEW on as it was, and as the log says. */
static bool came_same(const struct evidence *evidence, const struct exchange *exchange, int view)
{
    if (evidence->has_log && view <= VIEW_CLIENT_LEG) {
        const struct exchange *client = view == VIEW_CLIENT_LEG ? exchange : exchange->after;

        if (!is_borne_out(client->record, client))
            return false;
    }
    for (; view < VIEW_SERVER; view++, exchange = exchange->after) {
        const struct exchange *after = exchange->after;

        if (!message_equal(&exchange->request, &after->request) ||
            !message_equal(&exchange->response, &after->response) ||
            (view == VIEW_CLIENT_LEG && !pool_is_timely(exchange, after)))
            return false;
    }
    return true;
}

bool settle_knows(const struct settled *settled, const struct exchange *exchange)
{
    return settled->settling != NULL && exchange->request.state == MESSAGE_WHOLE &&
           settled_requests_have(settled->settling->requests, exchange);
}

/* To be forgotten, in this view and all behind it. */
static void mark(struct exchange *exchange)
{
    for (; exchange != NULL; exchange = exchange->after) {
        if (exchange->record != NULL)
            exchange->record->settled = true;
        exchange->settled = true;
    }
}

static void count_pooled(struct evidence *evidence, const struct exchange *exchange)
{
    for (; exchange != NULL; exchange = exchange->after) {
        if (exchange->how != PAIR_NONE)
            evidence->pooled[exchange->how][exchange->sure]++;
    }
}

static void settle_same(struct evidence *evidence, struct exchange *exchange, int view)
{
    settled_requests_add(evidence->settled.settling->requests, exchange);
    count_pooled(evidence, exchange);
    evidence->settled.exchanges++;
    evidence->settled.unread += exchange_is_unread(exchange);
    for (const struct exchange *near = exchange; near->after != NULL; near = near->after, view++) {
        if (view == VIEW_CLIENT_HOST)
            clock_offset_take(&evidence->clocks[SOURCE_CLIENT_HOST], near);
        if (view == VIEW_UPSTREAM_LEG)
            clock_offset_take(&evidence->clocks[SOURCE_SERVER], near);
    }
    mark(exchange);
}

/* There in all views from VIEW on, whole, and with its record, if there is a log. */
static bool is_complete(const struct evidence *evidence, const struct exchange *exchange, int view)
{
    for (; view <= VIEW_SERVER; view++) {
        if (exchange == NULL || exchange->listed || !is_whole(exchange) ||
            (view == VIEW_CLIENT_LEG && evidence->has_log && exchange->record == NULL))
            return false;
        exchange = exchange->after;
    }
    return true;
}

/* Where memory is short: what differs is counted, too. */
static void settle_different(struct evidence *evidence, const struct option_list *ignore,
    struct exchange *exchange, int view)
{
    struct crossing crossing = {.record = NULL};

    for (const struct exchange *at = exchange; at != NULL; at = at->after) {
        if (at->record != NULL)
            crossing.record = at->record;
        if (view == VIEW_UPSTREAM_LEG)
            settled_requests_add(evidence->settled.settling->requests, at);
        crossing.at[view++] = at;
    }
    count_pooled(evidence, exchange);
    verdict_count(evidence, ignore, &crossing, &evidence->settled.tally);
    mark(exchange);
}

/* The view that the connection is, if it is the one nearest to the client; VIEWS: it is not. */
static int nearest_view(const struct evidence *evidence, const struct connection *connection)
{
    bool host = evidence->has[SOURCE_CLIENT_HOST];

    if (evidence->legs.one_leg)
        return connection->source == SOURCE_PROXY ? VIEW_UPSTREAM_LEG : VIEWS;
    if (connection->leg != LEG_CLIENT ||
        connection->source != (host ? SOURCE_CLIENT_HOST : SOURCE_PROXY))
        return VIEWS;
    return host ? VIEW_CLIENT_HOST : VIEW_CLIENT_LEG;
}

/*
 * A CONNECT that the proxy took for itself, as the log says: what came behind it has found its
 * others, and this has none.
 */
static bool is_proxys_own(
    const struct evidence *evidence, const struct exchanges *http, size_t at, int view)
{
    const struct exchange *exchange = http->items[at];
    const struct exchange *next = at + 1 < http->count ? http->items[at + 1] : NULL;

    if (!exchange->connected || exchange->listed || next == NULL || next->after == NULL)
        return false;
    if (view == VIEW_CLIENT_HOST) {
        const struct exchange *leg = exchange->after;

        if (leg == NULL || !message_equal(&exchange->request, &leg->request) ||
            !message_equal(&exchange->response, &leg->response))
            return false;
        exchange = leg;
        next = next->after;
    }
    return exchange->after == NULL && is_whole(exchange) && next->after != NULL &&
           (!evidence->has_log || is_borne_out(exchange->record, exchange));
}

/* The exchanges that are first seen on this connection. */
static void settle_connection(struct evidence *evidence, const struct option_list *ignore,
    const struct connection *connection)
{
    const struct exchanges *http = &connection->http;
    int view = nearest_view(evidence, connection);

    for (size_t k = 0; k < http->count; k++) {
        struct exchange *exchange = http->items[k];

        if (connection->leg == LEG_OTHER) /* no concern of anybody */
            exchange->settled = is_whole(exchange);
        else if (view != VIEWS && is_proxys_own(evidence, http, k, view))
            mark(exchange);
        else if (view == VIEWS || connection->uneven || !is_complete(evidence, exchange, view))
            continue;
        else if (came_same(evidence, exchange, view))
            settle_same(evidence, exchange, view);
        else if (evidence->settled.crowded)
            settle_different(evidence, ignore, exchange, view);
    }
}

/* Exchanges of which there is no hope that their others come. */
static void give_up(struct evidence *evidence, int source, uint64_t before_ns)
{
    const struct connections *table = settle_table(evidence, source);

    for (size_t i = 0; i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        for (size_t k = 0; k < http->count; k++) {
            struct exchange *exchange = http->items[k];

            if (exchange->listed || exchange->settled || !is_whole(exchange) ||
                exchange->response.last_ns >= before_ns)
                continue;
            if (exchange->record != NULL)
                exchange->record->seen = NULL;
            exchange->settled = true;
            evidence->settled.given_up[source]++;
        }
    }
}

/* The time in the middle between the oldest exchange that might be given up and now. */
static uint64_t middle_of(struct evidence *evidence, int source)
{
    const struct connections *table = settle_table(evidence, source);
    uint64_t now = evidence->recordings[source].facts.last_ns, oldest = now;

    for (size_t i = 0; i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        for (size_t k = 0; k < http->count; k++) {
            const struct exchange *exchange = http->items[k];

            if (!exchange->listed && is_whole(exchange) && exchange->response.last_ns < oldest)
                oldest = exchange->response.last_ns;
        }
    }
    return oldest + (now - oldest) / 2;
}

static void forget_all(struct evidence *evidence)
{
    for (int source = 0; source < SOURCES; source++) {
        const struct connections *table = settle_table(evidence, source);

        for (size_t i = 0; i < table->count; i++)
            settle_forget_exchanges(table->items[i]);
    }
    evidence->settled.settling->looked_at = held(evidence);
}

/* True if so much has come since all was looked through that it is worth while once more. */
static bool is_worth_while(const struct evidence *evidence)
{
    size_t before = evidence->settled.settling->looked_at;

    return held(evidence) > before + (before / 2 > AGAIN ? before / 2 : AGAIN);
}

/* At first, and wherever much stays. */
static void watch_for_pool(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    if (evidence->settled.pooled || evidence->legs.one_leg || settle_awaits_log(evidence) ||
        held(evidence) < POOL_FROM || (settling->round > 1 && !is_worth_while(evidence)))
        return;
    settling->looked_at = held(evidence);
    evidence->settled.pooled = pool_is_seen(settle_table(evidence, SOURCE_PROXY));
    if (evidence->settled.pooled) {
        settling->looked_at = 0;
        settling->clients.count = settling->upstreams.count = 0;
    }
}

/* A proxy that pools: its exchanges are paired one by one, a window of the captures at a time. */
static void settle_pool(struct evidence *evidence, const struct option_list *ignore)
{
    const struct connections *table = settle_table(evidence, SOURCE_PROXY);

    if (!is_worth_while(evidence))
        return;
    pool_pair_again(table);
    for (size_t i = 0; i < table->count; i++)
        settle_connection(evidence, ignore, table->items[i]);
    forget_all(evidence);
}

/* Where what is held is more than is to be. */
static void make_room(struct evidence *evidence)
{
    struct settled *settled = &evidence->settled;

    if (!settled->crowded && held(evidence) > settled->hold + CROWDED) {
        settled->crowded = true;
        list_all(evidence);
    }
    if (held(evidence) <= settled->hold + GIVE_UP || !is_worth_while(evidence))
        return;
    for (int source = 0; source < SOURCES; source++) {
        if (evidence->has[source])
            give_up(evidence, source, middle_of(evidence, source));
    }
    forget_all(evidence);
}

void settle_listing(struct evidence *evidence)
{
    struct settled *settled = &evidence->settled;
    const struct connections *table = settle_table(evidence, SOURCE_PROXY);

    if (!settled->crowded && held(evidence) > settled->hold + GIVE_UP) {
        settled->crowded = true;
        list_all(evidence);
    }
    if (!settled->crowded)
        return;
    give_up(evidence, SOURCE_PROXY, UINT64_MAX);
    for (size_t i = 0; i < table->count; i++)
        settle_forget_exchanges(table->items[i]);
}

void settle_round(struct evidence *evidence, const struct capdiff_options *options)
{
    struct connections *proxy = settle_table(evidence, SOURCE_PROXY);
    struct settling *settling;

    if (evidence->has_log)
        exchange_log_read(&evidence->log, evidence->recordings[SOURCE_PROXY].facts.last_ns);
    if (!begin(evidence, options)) {
        settle_forget_silent(evidence);
        return;
    }
    settling = evidence->settled.settling;
    settling->round++;
    settle_pairs(evidence);
    watch_for_pool(evidence);
    if (evidence->has_log)
        log_match_sure(&evidence->log, proxy, &evidence->legs.proxy);
    numbering_go_on(evidence, &proxy->touched);
    if (evidence->settled.pooled)
        settle_pool(evidence, &options->ignore);
    for (size_t i = 0; i < settling->heads.count; i++)
        settle_connection(evidence, &options->ignore, settling->heads.items[i]);
    make_room(evidence);
    settle_forget(evidence);
    exchange_log_forget(&evidence->log);
}

void settle_end(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    if (settling == NULL)
        return;
    settled_requests_free(settling->requests);
    free(settling->clients.items);
    free(settling->upstreams.items);
    free(settling->heads.items);
    free(settling->over.list.items);
    for (int round = 0; round < SETTLE_RECENT; round++) {
        for (int source = 0; source < SOURCES; source++)
            free(settling->recent[round][source].items);
    }
    free(settling);
}
