#include "capturer/capdiff/log_match.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/client_index.h"
#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/redeal.h"

#define AHEAD_MAX 64 /* exchanges of a connection that a record is held against */

/* Exchanges of the client leg by what a record can say of their request. */
struct digest_entry {
    uint64_t key;
    struct connection *connection;
    struct exchange *exchange;
};

struct digest_index {
    struct digest_entry *items;
    size_t count, room;
};

static bool same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The exchange was under way when the record says; records of earlier runs may look the same. */
static bool is_timely(const struct log_record *record, const struct exchange *exchange)
{
    uint64_t last = exchange->request.last_ns > exchange->response.last_ns
                        ? exchange->request.last_ns
                        : exchange->response.last_ns;

    return record->ts_ns == 0 ||
           (record->ts_ns + CLIENT_INDEX_SLACK_NS >= exchange->request.first_ns &&
               record->ts_ns <= last + CLIENT_INDEX_SLACK_NS);
}

bool log_match_line(const struct log_record *record, const struct exchange *exchange)
{
    struct slice line = align_start_line(exchange);
    size_t method = record->method != NULL ? strlen(record->method) : 0;
    size_t target = record->target != NULL ? strlen(record->target) : 0;

    if (method == 0 || target == 0)
        return true;
    return line.len > method + target + 1 && memcmp(line.data, record->method, method) == 0 &&
           line.data[method] == ' ' &&
           memcmp(line.data + method + 1, record->target, target) == 0 &&
           line.data[method + 1 + target] == ' ';
}

/* The digest of the request's content as it came in, as far as the record tells it. */
static const char *asked_sha256(const struct log_record *record)
{
    const struct log_change *change = log_record_change(record, LOG_CHANGE_BODY, false);

    return change != NULL ? change->before.data : record->request_sha256;
}

/* The same request, as far as the record says anything about it. */
static bool is_like(const struct log_record *record, const struct exchange *exchange)
{
    char hex[SHA256_HEX_SIZE];

    if (!is_timely(record, exchange))
        return false;
    if (record->call_id != NULL && exchange_call_id(exchange) != NULL)
        return strcmp(record->call_id, exchange_call_id(exchange)) == 0;
    if (exchange->connected && record->method != NULL && log_match_line(record, exchange))
        return true;
    return log_match_line(record, exchange) &&
           same_text(asked_sha256(record), message_content_sha256(&exchange->request, hex));
}

static void join(
    struct log_record *record, struct connection *connection, struct exchange *exchange)
{
    record->seen = exchange;
    exchange->record = record;
    connection->uneven = connection->uneven || redeal_is_uneven(record);
}

/* The first exchange of the connection that no record has. */
static size_t first_open(struct connection *connection)
{
    const struct exchanges *http = &connection->http;

    while (connection->logged < http->count && http->items[connection->logged]->record != NULL)
        connection->logged++;
    return connection->logged;
}

/* The next exchange of the connection that is like the record. */
static bool match_like(struct log_record *record, struct connection *connection)
{
    const struct exchanges *http = &connection->http;
    size_t from = first_open(connection);

    for (size_t i = from; i < http->count && i < from + AHEAD_MAX; i++) {
        if (http->items[i]->record == NULL && exchange_is_certain(http->items[i]) &&
            is_like(record, http->items[i])) {
            join(record, connection, http->items[i]);
            return true;
        }
    }
    return false;
}

/*
 * Where none is like it, the next one that no record has, if its request line is the one, so that a
 * body which differs is seen to differ. Where the recording lacks some of the connection, that
 * would be a guess.
 */
static void match_next(struct log_record *record, struct connection *connection)
{
    size_t next = first_open(connection);

    if (record->method == NULL) /* of a tunnel, which has to be opened first */
        while (next < connection->http.count && connection->http.items[next]->connected)
            next++;
    if (next < connection->http.count && connection->http.items[next]->record == NULL &&
        connection_is_sure(connection) && is_timely(record, connection->http.items[next]) &&
        log_match_line(record, connection->http.items[next]))
        join(record, connection, connection->http.items[next]);
}

static uint64_t key_of(const char *call_id, const char *sha256)
{
    uint64_t hash = HASH_START;

    if (call_id != NULL)
        hash = hash_bytes(hash, call_id, strlen(call_id));
    return sha256 != NULL ? hash_bytes(hash, sha256, strlen(sha256)) : hash;
}

static int by_key(const void *left, const void *right)
{
    const struct digest_entry *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->exchange->request.first_ns != b->exchange->request.first_ns)
        return a->exchange->request.first_ns < b->exchange->request.first_ns ? -1 : 1;
    return 0;
}

static void index_by_digest(struct digest_index *index, const struct connections *table)
{
    memset(index, 0, sizeof(*index));
    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];

        for (size_t k = 0; connection->leg == LEG_CLIENT && k < connection->http.count; k++) {
            struct exchange *exchange = connection->http.items[k];
            char hex[SHA256_HEX_SIZE];

            if (exchange->record != NULL)
                continue;
            index->items =
                memory_room(index->items, index->count, &index->room, sizeof(*index->items));
            index->items[index->count++] = (struct digest_entry){
                key_of(exchange_call_id(exchange), message_content_sha256(&exchange->request, hex)),
                connection, exchange};
        }
    }
    if (index->count > 0)
        qsort(index->items, index->count, sizeof(*index->items), by_key);
}

static void match_by_digest(struct log_record *record, const struct digest_index *index)
{
    uint64_t key = key_of(record->call_id, asked_sha256(record));
    size_t low = 0, high = index->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (index->items[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < index->count && index->items[low].key == key; low++) {
        struct exchange *exchange = index->items[low].exchange;

        if (exchange->record == NULL && is_like(record, exchange)) {
            join(record, index->items[low].connection, exchange);
            return;
        }
    }
}

/* LIKE: an exchange that is like the record; else the next one that no record was like. */
static void match_by_client(struct exchange_log *log, const struct client_index *clients, bool like)
{
    for (size_t i = 0; i < log->count; i++) {
        struct log_record *record = log->items[i];
        struct connection *connection =
            record->seen == NULL && record->has_client && record->copy_of == 0
                ? client_index_find(clients, &record->client, record->ts_ns)
                : NULL;

        if (connection != NULL && like)
            (void)match_like(record, connection);
        else if (connection != NULL)
            match_next(record, connection);
    }
}

/* Requests that rules sent again: on the upstream leg, and asked for by no client. */
static void match_copies(struct exchange_log *log, const struct client_index *upstreams)
{
    for (size_t i = 0; i < log->count; i++) {
        struct log_record *record = log->items[i];
        struct connection *connection =
            record->copy_of != 0 && record->has_upstream_local
                ? client_index_find(upstreams, &record->upstream_local, record->ts_ns)
                : NULL;

        for (size_t k = 0; connection != NULL && k < connection->http.count; k++) {
            struct exchange *exchange = connection->http.items[k];

            if (record->seen == NULL && exchange->record == NULL && exchange->before == NULL &&
                is_timely(record, exchange))
                join(record, connection, exchange);
        }
    }
}

void log_match_sure(
    struct exchange_log *log, const struct connections *table, const struct endpoint *proxy)
{
    for (size_t i = 0; i < log->count; i++) {
        struct log_record *record = log->items[i];
        struct connection *connection =
            record->seen == NULL && record->has_client && record->copy_of == 0
                ? client_index_ask(table, LEG_CLIENT, proxy, &record->client, record->ts_ns)
                : NULL;

        if (connection != NULL)
            (void)match_like(record, connection);
    }
}

void log_match(struct exchange_log *log, const struct connections *table)
{
    struct client_index clients;
    struct digest_index digests;

    client_index_init(&clients, table, LEG_CLIENT);
    match_by_client(log, &clients, true);
    match_by_client(log, &clients, false);
    client_index_deinit(&clients);
    client_index_init(&clients, table, LEG_UPSTREAM);
    match_copies(log, &clients);
    client_index_deinit(&clients);
    index_by_digest(&digests, table);
    for (size_t i = 0; i < log->count; i++) {
        if (log->items[i]->seen == NULL && log->items[i]->copy_of == 0)
            match_by_digest(log->items[i], &digests);
    }
    free(digests.items);
}
