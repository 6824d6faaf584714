#include "capturer/capdiff/settle.h"

#include <stdlib.h>

#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/numbering.h"
#include "capturer/capdiff/pairing.h"
#include "capturer/capdiff/pool.h"
#include "capturer/capdiff/settle_state.h"

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

/* The same exchange in the view nearest to the client. */
static struct exchange *first_seen(struct exchange *exchange)
{
    while (exchange->before != NULL)
        exchange = exchange->before;
    return exchange;
}

/* It is whole, is not to be forgotten anyway, and no view of it is listed. */
static bool may_go(struct exchange *exchange)
{
    if (exchange->settled || !exchange_is_whole(exchange))
        return false;
    for (exchange = first_seen(exchange); exchange != NULL; exchange = exchange->after) {
        if (exchange->listed)
            return false;
    }
    return true;
}

/* In all views at once: where one is left alone, it seems that it never went on. */
static void give_up_exchange(struct settled *settled, struct exchange *exchange)
{
    for (exchange = first_seen(exchange); exchange != NULL; exchange = exchange->after) {
        if (!exchange_is_whole(exchange))
            continue;
        if (exchange->record != NULL)
            exchange->record->settled = true;
        exchange_settle(exchange);
        settled->given_up[exchange->connection->source]++;
    }
}

/* Exchanges of which there is no hope that their others come. */
static void give_up(struct evidence *evidence, int source, uint64_t before_ns)
{
    const struct connections *table = settle_table(evidence, source);

    for (size_t i = 0; i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        for (size_t k = 0; k < http->count; k++) {
            if (may_go(http->items[k]) && http->items[k]->response.last_ns < before_ns)
                give_up_exchange(&evidence->settled, http->items[k]);
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
            struct exchange *exchange = http->items[k];

            if (exchange->response.last_ns < oldest && may_go(exchange))
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
        settle_exchanges(evidence, ignore, table->items[i]);
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
    for (size_t i = 0; i < table->count; i++)
        table->items[i]->source = SOURCE_PROXY;
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
        settle_exchanges(evidence, &options->ignore, settling->heads.items[i]);
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
