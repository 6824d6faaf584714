#include "capturer/capdiff/pair.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/client_index.h"
#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"

#define KEYS_MAX 8        /* exchanges at a connection's beginning that it is known by */
#define SLACK_NS 1000000u /* stamps of one recording may be this much out of order */

/* One request of a connection that is looked for. */
struct offer {
    struct offer *next; /* the next later one with the same hash */
    struct connection *connection;
    uint64_t key;
    uint64_t time_ns;
    bool alone; /* no other connection has a request like this one */
};

struct offers {
    struct offer *items;
    struct offer **buckets;
    size_t count, n_buckets;
};

static uint64_t key_of(const struct exchange *exchange, enum pair_how how)
{
    char hex[SHA256_HEX_SIZE];

    if (how == PAIR_CALL_ID && exchange_call_id(exchange) != NULL)
        return hash_bytes(
            HASH_START, exchange_call_id(exchange), strlen(exchange_call_id(exchange)));
    if (how == PAIR_CONTENT && exchange->request.ended && exchange->request.len > 0)
        return hash_bytes(HASH_START, message_raw_sha256(&exchange->request, hex), SHA256_HEX_SIZE);
    return how == PAIR_START_LINE ? align_line_hash(exchange) : 0;
}

/* The first request's first byte; 0 where no request was recorded. */
static uint64_t asked_ns(const struct connection *connection)
{
    return connection->http.count > 0 ? connection->http.items[0]->request.first_ns : 0;
}

static int by_time(const void *left, const void *right)
{
    const struct offer *a = left, *b = right;

    if (a->time_ns != b->time_ns)
        return a->time_ns < b->time_ns ? -1 : 1;
    return 0;
}

/* The request line alone says little: it is enough only where all of a connection was recorded. */
static bool is_fit(const struct connection *connection, enum leg leg, enum pair_how how)
{
    return connection->leg == leg && !connection->claimed && connection->http.count > 0 &&
           (how != PAIR_START_LINE || connection_is_sure(connection));
}

static bool is_wanted(const struct connection *connection, enum leg leg, enum pair_how how)
{
    return is_fit(connection, leg, how) && connection->towards_server == NULL;
}

/* NEXT are the later ones of the same hash, each marked already. */
static void mark_alike(struct offer *offer, struct offer *next)
{
    while (next != NULL && next->key != offer->key)
        next = next->next;
    if (next == NULL)
        return;
    offer->alone = next->alone && next->connection == offer->connection;
    for (; next != NULL && next->key == offer->key && next->alone != offer->alone;
         next = next->next)
        next->alone = offer->alone;
}

static void offers_init(
    struct offers *offers, const struct connection_list *list, enum leg leg, enum pair_how how)
{
    size_t most = 0;

    for (size_t i = 0; i < list->count; i++)
        most += is_wanted(list->items[i], leg, how) ? KEYS_MAX : 0;
    offers->items = memory_new(most, sizeof(*offers->items));
    offers->count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct connection *connection = list->items[i];

        for (size_t k = 0;
             is_wanted(connection, leg, how) && k < KEYS_MAX && k < connection->http.count; k++) {
            uint64_t key = key_of(connection->http.items[k], how);

            if (key != 0)
                offers->items[offers->count++] =
                    (struct offer){NULL, connection, key, asked_ns(connection), true};
        }
    }
    if (offers->count > 0)
        qsort(offers->items, offers->count, sizeof(*offers->items), by_time);
    for (offers->n_buckets = 64; offers->n_buckets < offers->count;)
        offers->n_buckets *= 2;
    offers->buckets = memory_new(offers->n_buckets, sizeof(struct offer *));
    for (size_t i = offers->count; i-- > 0;) { /* backwards: each chain begins with the earliest */
        struct offer **bucket = &offers->buckets[offers->items[i].key & (offers->n_buckets - 1)];

        mark_alike(&offers->items[i], *bucket);
        offers->items[i].next = *bucket;
        *bucket = &offers->items[i];
    }
}

static void offers_deinit(struct offers *offers)
{
    free(offers->items);
    free(offers->buckets);
}

/*
 * The earliest connection with this key that is still free and whose time fits: it asked before
 * FAR began, and had not ended by then. Those that can fit nobody any more leave the chain.
 */
static const struct offer *offers_take(
    struct offers *offers, uint64_t key, const struct connection *far, bool same_clock)
{
    struct offer **at = &offers->buckets[key & (offers->n_buckets - 1)];
    uint64_t far_asked = asked_ns(far);

    while (*at != NULL) {
        const struct offer *offer = *at;

        if (offer->connection->towards_server != NULL) {
            *at = offer->next;
        } else if (same_clock && offer->time_ns > far_asked + SLACK_NS) {
            return NULL;
        } else if (offer->key != key ||
                   (same_clock && offer->connection->last_ns + SLACK_NS < far->first_ns)) {
            at = &(*at)->next;
        } else {
            return offer;
        }
    }
    return NULL;
}

static void join(
    struct connection *near, struct connection *far, enum pair_how how, enum pair_sureness sure)
{
    near->towards_server = far;
    near->how = how;
    near->sure = sure;
    far->towards_client = near;
}

/* An id that stands twice, or a request line, proves little: then order has decided. */
static void join_offer(const struct offer *offer, struct connection *far, enum pair_how how)
{
    enum pair_sureness sure = offer->alone ? PAIR_SURE : PAIR_LIKELY;

    if (how == PAIR_START_LINE || (how == PAIR_CALL_ID && !offer->alone))
        sure = PAIR_GUESS;
    join(offer->connection, far, how == PAIR_CALL_ID && !offer->alone ? PAIR_ORDER : how, sure);
}

static int by_asked(const void *left, const void *right)
{
    const struct connection *const *a = left, *const *b = right;

    if (asked_ns(*a) != asked_ns(*b))
        return asked_ns(*a) < asked_ns(*b) ? -1 : 1;
    return 0;
}

/* Two lists of connections that are to be paired. */
struct matchmaking {
    const struct connection_list *near, *far;
    enum leg leg;    /* of the near ones; the far ones are on the upstream leg */
    bool same_clock; /* one recording has both */
};

static void pair_pass(const struct matchmaking *making, enum pair_how how)
{
    const struct connection_list *far = making->far;
    struct connection **takers = memory_new(far->count, sizeof(struct connection *));
    struct offers offers;
    size_t count = 0;

    for (size_t i = 0; i < far->count; i++) {
        struct connection *connection = far->items[i];

        if (is_fit(connection, LEG_UPSTREAM, how) && connection->towards_client == NULL)
            takers[count++] = connection;
    }
    qsort(takers, count, sizeof(struct connection *), by_asked);
    offers_init(&offers, making->near, making->leg, how);
    for (size_t i = 0; i < count; i++) {
        const struct exchanges *http = &takers[i]->http;
        const struct offer *found = NULL;

        for (size_t k = 0; found == NULL && k < KEYS_MAX && k < http->count; k++) {
            uint64_t key = key_of(http->items[k], how);

            if (key != 0)
                found = offers_take(&offers, key, takers[i], making->same_clock);
        }
        if (found != NULL)
            join_offer(found, takers[i], how);
    }
    offers_deinit(&offers);
    free(takers);
}

void pair_by_content(const struct connections *near, const struct connections *far)
{
    struct connection_list near_all = connections_all(near), far_all = connections_all(far);
    struct matchmaking making = {&near_all, &far_all, LEG_UPSTREAM, false};

    pair_pass(&making, PAIR_CONTENT);
    pair_pass(&making, PAIR_CALL_ID);
}

/* What a client asks a forward proxy for itself is no request of the upstream's. */
static size_t first_forwarded(const struct exchanges *http)
{
    return http->count > 0 && http->items[0]->connected;
}

static bool borne_out(const struct connection *near, const struct connection *far)
{
    size_t i = first_forwarded(&near->http), k = first_forwarded(&far->http);

    if (k > 0)
        i = k = 0; /* the upstream is a forward proxy as well */
    for (; i < near->http.count && k < far->http.count && k < KEYS_MAX; i++, k++) {
        const struct exchange *a = near->http.items[i], *b = far->http.items[k];

        if (align_same_call(a, b) || align_same_line(a, b))
            return true;
    }
    return false;
}

static void join_logged(struct connection *near, struct connection *far)
{
    if (near != NULL && far != NULL && !near->doomed && !far->doomed && near->leg == LEG_CLIENT &&
        far->leg == LEG_UPSTREAM && near->towards_server == NULL && far->towards_client == NULL &&
        borne_out(near, far))
        join(near, far, PAIR_LOG, PAIR_SURE);
}

/*
 * A request that a rule sent again is no client's, however like one it is; and one that went on a
 * second upstream connection is no other client's.
 */
static void claim(const struct connection *near, struct connection *far)
{
    if (far != NULL && far->towards_client == NULL &&
        (near == NULL || (near->towards_server != NULL && near->towards_server != far)))
        far->claimed = true;
}

static void pair_by_log(const struct connections *table, const struct exchange_log *log)
{
    struct client_index clients, upstreams;

    client_index_init(&clients, table, LEG_CLIENT);
    client_index_init(&upstreams, table, LEG_UPSTREAM);
    for (size_t i = 0; i < log->count; i++) {
        const struct log_record *record = log->items[i];
        struct connection *near, *far;

        if (!record->has_upstream_local || (!record->has_client && record->copy_of == 0))
            continue;
        far = client_index_find(&upstreams, &record->upstream_local, record->ts_ns);
        near = record->copy_of == 0 ? client_index_find(&clients, &record->client, record->ts_ns)
                                    : NULL;
        join_logged(near, far);
        if (near != NULL || record->copy_of != 0)
            claim(near, far);
    }
    client_index_deinit(&clients);
    client_index_deinit(&upstreams);
}

void pair_legs(const struct connections *table, const struct exchange_log *log)
{
    struct connection_list all = connections_all(table);
    struct matchmaking making = {&all, &all, LEG_CLIENT, true};

    if (log != NULL)
        pair_by_log(table, log);
    pair_pass(&making, PAIR_CONTENT);
    pair_pass(&making, PAIR_CALL_ID);
    pair_pass(&making, PAIR_START_LINE);
}

void pair_legs_sure(const struct connection_list *clients, const struct connection_list *upstreams)
{
    struct matchmaking making = {clients, upstreams, LEG_CLIENT, true};

    pair_pass(&making, PAIR_CONTENT);
    pair_pass(&making, PAIR_CALL_ID);
}

void pair_by_log_sure(const struct connections *table, const struct exchange_log *log,
    const struct endpoint *proxy, const struct endpoint *server)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct log_record *record = log->items[i];
        struct connection *near = NULL;

        if (record->seen == NULL && record->has_client && record->has_upstream_local)
            near = client_index_ask(table, LEG_CLIENT, proxy, &record->client, record->ts_ns);
        if (near != NULL && near->towards_server == NULL)
            join_logged(near, client_index_ask(table, LEG_UPSTREAM, server, &record->upstream_local,
                                  record->ts_ns));
    }
}
