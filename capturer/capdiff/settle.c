#include "capturer/capdiff/settle.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/pairing.h"
#include "capturer/capdiff/verdict.h"

#define MIB ((size_t)1024 * 1024)
#define HOLD 4                   /* MiB that are held before it is worth while */
#define HOLD_LISTED 48           /* the same, for reports that list exchanges */
#define LOG_AHEAD_NS 2000000000u /* that the log may tell of an exchange before its time */
#define CROWDED (64 * MIB)      /* bytes beyond those, from which on what differs is only counted */
#define GIVE_UP (96 * MIB)      /* … and what lacks a view is given up */
#define PATIENCE_NS 5000000000u /* for which it may lack one */
#define SLACK_NS 1000000u       /* stamps of one recording may be this much out of order */
#define LINGERING_MAX 4096 /* connections that are over and stay, for segments that come late */
#define SILENT_MAX 16384   /* connections without a byte, which are not over */

static size_t held(const struct evidence *evidence)
{
    size_t sum = 0;

    for (int i = 0; i < SOURCES; i++)
        sum += evidence->has[i] ? evidence->recordings[i].connections.shared->messages.held : 0;
    return sum;
}

static struct connections *table_of(struct evidence *evidence, int source)
{
    return &evidence->recordings[source].connections;
}

static bool lists_exchanges(const struct capdiff_options *options)
{
    return options->format == FORMAT_HTML || options->format == FORMAT_JUNIT ||
           options->har_path != NULL;
}

/* Where exchanges are numbered, which is in the view nearest to the client that the proxy has. */
static enum leg numbered_leg(const struct evidence *evidence)
{
    return evidence->legs.one_leg ? LEG_UPSTREAM : LEG_CLIENT;
}

static int by_time(const void *left, const void *right)
{
    const struct exchange *a = *(struct exchange *const *)left;
    const struct exchange *b = *(struct exchange *const *)right;

    if (a->request.first_ns != b->request.first_ns)
        return a->request.first_ns < b->request.first_ns ? -1 : 1;
    return 0;
}

/* Numbers what has come since, by time. */
static void number(struct evidence *evidence)
{
    const struct connections *table = table_of(evidence, SOURCE_PROXY);
    struct exchange **items = NULL;
    size_t count = 0, room = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        for (size_t k = http->count; table->items[i]->leg == numbered_leg(evidence) && k-- > 0 &&
                                     http->items[k]->number == 0;) {
            items = memory_room(items, count, &room, sizeof(struct exchange *));
            items[count++] = http->items[k];
        }
    }
    if (count > 0)
        qsort(items, count, sizeof(struct exchange *), by_time);
    for (size_t i = 0; i < count; i++)
        items[i]->number = ++evidence->settled.numbered;
    free(items);
}

/* What is there so far is what the report lists. */
static void list_all(struct evidence *evidence)
{
    for (int source = 0; source < SOURCES; source++) {
        const struct connections *table = table_of(evidence, source);

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

/* True once the legs are known. */
static bool begin(struct evidence *evidence, const struct capdiff_options *options)
{
    struct settled *settled = &evidence->settled;

    if (settled->begun)
        return true;
    if (held(evidence) < settled->hold || held(evidence) < 2 * settled->asked_at)
        return false;
    settled->asked_at = held(evidence);
    settled->begun = pairing_begin(evidence, &options->ports);
    if (!settled->begun)
        return false;
    settled->requests = memory_new(SETTLED_REQUESTS, sizeof(uint64_t));
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
    return record != NULL && record->n_rules == 0 && record->n_changes == 0 &&
           record->error == NULL && (record->status == 0 || record->status == exchange->status) &&
           log_match_line(record, exchange) &&
           same_digest(record->request_sha256, &exchange->request) &&
           same_digest(record->response_sha256, &exchange->response);
}

/* Asked after the client had asked, and answered before the client was, give or take a little. */
static bool is_timely(const struct exchange *client, const struct exchange *upstream)
{
    return client->request.first_ns <= upstream->request.first_ns + SLACK_NS &&
           upstream->response.first_ns <= client->response.last_ns + SLACK_NS;
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
            (view == VIEW_CLIENT_LEG && !is_timely(exchange, after)))
            return false;
    }
    return true;
}

static uint64_t *request_place(
    const struct settled *settled, const struct exchange *exchange, uint64_t *key)
{
    const struct buf *raw = &exchange->request.raw;

    *key = hash_fast(raw->data, raw->len);
    return &settled->requests[*key & (SETTLED_REQUESTS - 1)];
}

bool settle_knows(const struct settled *settled, const struct exchange *exchange)
{
    uint64_t key;

    return settled->requests != NULL && exchange->request.state == MESSAGE_WHOLE &&
           *request_place(settled, exchange, &key) == key;
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

static void settle_same(struct evidence *evidence, struct exchange *exchange, int view)
{
    uint64_t key, *place = request_place(&evidence->settled, exchange, &key);

    *place = key;
    evidence->settled.exchanges++;
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
        crossing.at[view++] = at;
    }
    verdict_count(evidence, ignore, &crossing, &evidence->settled.tally);
    mark(exchange);
}

/* The connections that exchanges are first seen on. */
static void settle_from(
    struct evidence *evidence, const struct option_list *ignore, int view, enum leg leg)
{
    const struct connections *table = table_of(evidence, view_source((enum view)view));

    for (size_t i = 0; i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        if (table->items[i]->leg != leg || table->items[i]->towards_server == NULL)
            continue;
        for (size_t k = 0; k < http->count; k++) {
            if (!is_complete(evidence, http->items[k], view))
                continue;
            if (came_same(evidence, http->items[k], view))
                settle_same(evidence, http->items[k], view);
            else if (evidence->settled.crowded)
                settle_different(evidence, ignore, http->items[k], view);
        }
    }
}

/* Exchanges that went through no proxy are no concern of anybody. */
static void settle_others(struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        struct exchanges *http = &table->items[i]->http;

        for (size_t k = 0; table->items[i]->leg == LEG_OTHER && k < http->count; k++)
            http->items[k]->settled = is_whole(http->items[k]);
    }
}

static void forget_exchanges(struct connections *table)
{
    for (size_t i = 0; i < table->count; i++) {
        size_t before = table->items[i]->http.count;

        exchanges_forget(&table->items[i]->http);
        table->items[i]->settled += before - table->items[i]->http.count;
        if (before > table->items[i]->http.count)
            table->items[i]->logged = 0;
    }
}

/* Nothing of it is left, and nothing was ever wrong with it. */
static bool is_done(const struct connection *connection)
{
    return connection->http.count == 0 && connection_is_over(connection) &&
           connection_is_sure(connection) && connection->clashes == 0;
}

/* The first of the same connection's views, towards the client. */
static struct connection *first_of(struct connection *connection)
{
    while (connection->towards_client != NULL)
        connection = connection->towards_client;
    return connection;
}

static bool all_are_done(const struct connection *connection)
{
    while (connection != NULL && is_done(connection))
        connection = connection->towards_server;
    return connection == NULL;
}

/* Not a byte was said on it so far, if it ever was more than a knock at the door. */
static bool is_silent(const struct connection *connection)
{
    return connection_exchanges(connection) == 0 && connection->towards_client == NULL &&
           connection->towards_server == NULL && connection_is_sure(connection) &&
           exchanges_are_idle(&connection->http) &&
           connection->http.sides[SIDE_CLIENT].skipped == 0 &&
           connection->http.sides[SIDE_SERVER].skipped == 0 && connection->clashes == 0;
}

/* The oldest ones go. */
static void doom(struct connections *table)
{
    size_t done = 0, silent = 0;

    for (size_t i = 0; i < table->count; i++) {
        done += is_done(table->items[i]) && all_are_done(first_of(table->items[i]));
        silent += is_silent(table->items[i]);
    }
    for (size_t i = 0; i < table->count && (done > LINGERING_MAX || silent > SILENT_MAX); i++) {
        struct connection *connection = table->items[i];

        if (done > LINGERING_MAX && is_done(connection) && all_are_done(first_of(connection))) {
            done--;
            for (connection = first_of(connection); connection != NULL;
                 connection = connection->towards_server)
                connection->doomed = true;
        } else if (silent > SILENT_MAX && is_silent(connection)) {
            silent--;
            connection->doomed = true;
        }
    }
}

struct farewell {
    struct evidence *evidence;
    enum source source;
};

static void take_leave(void *arg, const struct connection *connection)
{
    const struct farewell *farewell = arg;
    struct evidence *evidence = farewell->evidence;
    bool other = connection->leg == LEG_OTHER && connection_exchanges(connection) > 0;

    recording_add(&evidence->recordings[farewell->source], connection);
    if (farewell->source == SOURCE_PROXY) {
        pairing_count(evidence, connection);
        evidence->legs.other_proxy += other;
    } else if (farewell->source == SOURCE_SERVER) {
        evidence->legs.other_server += other;
    }
    if (connection->leg != LEG_UPSTREAM || connection->towards_client == NULL)
        return;
    addresses_add(farewell->source == SOURCE_SERVER ? &evidence->settled.at_server
                                                    : &evidence->settled.at_proxy,
        connection_client(connection));
}

static void forget(struct evidence *evidence)
{
    exchange_log_forget(&evidence->log);
    for (int source = 0; source < SOURCES; source++) {
        if (!evidence->has[source])
            continue;
        forget_exchanges(table_of(evidence, source));
        doom(table_of(evidence, source));
    }
    for (int source = 0; source < SOURCES; source++) {
        struct farewell farewell = {evidence, (enum source)source};

        if (evidence->has[source])
            connections_forget(table_of(evidence, source), take_leave, &farewell);
    }
}

/* Exchanges that have long been over, whose others may never come. */
static void give_up(struct evidence *evidence, int source)
{
    const struct connections *table = table_of(evidence, source);
    uint64_t now_ns = evidence->recordings[source].facts.last_ns;

    for (size_t i = 0; i < table->count; i++) {
        const struct exchanges *http = &table->items[i]->http;

        for (size_t k = 0; k < http->count; k++) {
            struct exchange *exchange = http->items[k];

            if (exchange->listed || exchange->settled || !is_whole(exchange) ||
                exchange->response.last_ns + PATIENCE_NS > now_ns)
                continue;
            if (exchange->record != NULL)
                exchange->record->seen = NULL;
            exchange->settled = true;
            evidence->settled.given_up[source]++;
        }
    }
}

void settle_listing(struct evidence *evidence)
{
    struct settled *settled = &evidence->settled;

    if (!settled->crowded && held(evidence) > settled->hold + GIVE_UP) {
        settled->crowded = true;
        list_all(evidence);
    }
    if (!settled->crowded)
        return;
    give_up(evidence, SOURCE_PROXY);
    forget_exchanges(table_of(evidence, SOURCE_PROXY));
}

/* Where what is held is more than is to be. */
static void make_room(struct evidence *evidence)
{
    struct settled *settled = &evidence->settled;

    if (!settled->crowded && held(evidence) > settled->hold + CROWDED) {
        settled->crowded = true;
        list_all(evidence);
    }
    if (held(evidence) <= settled->hold + GIVE_UP)
        return;
    for (int source = 0; source < SOURCES; source++) {
        if (evidence->has[source])
            give_up(evidence, source);
    }
}

void settle_round(struct evidence *evidence, const struct capdiff_options *options)
{
    if (!begin(evidence, options))
        return;
    if (evidence->has_log)
        exchange_log_read(
            &evidence->log, evidence->recordings[SOURCE_PROXY].facts.last_ns + LOG_AHEAD_NS);
    pairing_go_on(evidence);
    if (evidence->has_log)
        log_match_sure(&evidence->log, table_of(evidence, SOURCE_PROXY));
    number(evidence);
    if (evidence->has[SOURCE_CLIENT_HOST])
        settle_from(evidence, &options->ignore, VIEW_CLIENT_HOST, LEG_CLIENT);
    else if (evidence->legs.one_leg)
        settle_from(evidence, &options->ignore, VIEW_UPSTREAM_LEG, LEG_UPSTREAM);
    else
        settle_from(evidence, &options->ignore, VIEW_CLIENT_LEG, LEG_CLIENT);
    settle_others(table_of(evidence, SOURCE_PROXY));
    settle_others(table_of(evidence, SOURCE_SERVER));
    make_room(evidence);
    forget(evidence);
}
