/* Which exchanges of a connection are settled: the same in all views, a proxy's own, of no concern.
 */
#include <string.h>

#include "capturer/capdiff/log_match.h"
#include "capturer/capdiff/log_tunnel.h"
#include "capturer/capdiff/pool.h"
#include "capturer/capdiff/settle_state.h"
#include "capturer/capdiff/verdict.h"

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
        exchange_settle(exchange);
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
        if (exchange == NULL || exchange->listed || !exchange_is_whole(exchange) ||
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
    return exchange->after == NULL && exchange_is_whole(exchange) && next->after != NULL &&
           (!evidence->has_log || is_borne_out(exchange->record, exchange));
}

void settle_exchanges(struct evidence *evidence, const struct option_list *ignore,
    const struct connection *connection)
{
    const struct exchanges *http = &connection->http;
    int view = nearest_view(evidence, connection);

    for (size_t k = 0; k < http->count; k++) {
        struct exchange *exchange = http->items[k];

        if (exchange->settled || (connection->leg == LEG_OTHER && !exchange_is_whole(exchange)))
            continue;
        if (connection->leg == LEG_OTHER) /* no concern of anybody */
            exchange_settle(exchange);
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
