#include "capturer/capdiff/connection.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/knocks.h"
#include "capturer/capdiff/lane.h"
#include "capturer/capdiff/memory.h"

#define BUCKETS_MIN 1024

static bool is_between(
    const struct connection *connection, const struct endpoint *a, const struct endpoint *b)
{
    const struct endpoint *ends = connection->ends;

    return (endpoint_equal(&ends[0], a) && endpoint_equal(&ends[1], b)) ||
           (endpoint_equal(&ends[0], b) && endpoint_equal(&ends[1], a));
}

struct connection *connections_between(
    const struct connections *table, const struct endpoint *a, const struct endpoint *b)
{
    struct connection *connection =
        table->buckets[endpoint_pair_hash(a, b) & (table->n_buckets - 1)];

    while (connection != NULL && !is_between(connection, a, b))
        connection = connection->next;
    return connection;
}

static int http_side(const struct connection *connection, int sender)
{
    return sender == connection->client ? SIDE_CLIENT : SIDE_SERVER;
}

static void on_data(void *arg, int sender, const struct tcp_run *run)
{
    struct connection *connection = arg;

    if (!connection->role_known) {
        int side = run->head ? exchanges_recognise(run) : -1;

        if (side >= 0) {
            connection->role_known = true;
            connection->client = side == SIDE_CLIENT ? sender : !sender;
        }
    }
    exchanges_data(&connection->http, http_side(connection, sender), run);
}

static void on_gap(void *arg, int sender, uint64_t len)
{
    struct connection *connection = arg;

    exchanges_gap(&connection->http, http_side(connection, sender), len);
}

#define CLASH_BEFORE 32 /* bytes shown before the first that differs */

static void on_clash(void *arg, int sender, const struct tcp_clash *found)
{
    struct connection *connection = arg;
    size_t at = 0, from;
    struct clash *clash;

    if (connection->clashes++ > 0)
        return;
    while (at < found->len && found->before[at] == found->later[at])
        at++;
    from = at > CLASH_BEFORE ? at - CLASH_BEFORE : 0;
    clash = memory_new(1, sizeof(*clash));
    clash->sender = sender;
    clash->time_ns = found->time_ns;
    clash->seq = found->seq + (uint32_t)from;
    clash->at = at - from;
    clash->len = found->len - from < CLASH_SHOWN_MAX ? found->len - from : CLASH_SHOWN_MAX;
    memcpy(clash->before, found->before + from, clash->len);
    memcpy(clash->later, found->later + from, clash->len);
    connection->clash = clash;
}

static void on_fin(void *arg, int sender)
{
    struct connection *connection = arg;

    /* What the other side got before this end belongs before it. */
    tcp_stream_pass_acked(&connection->streams[!sender], TCP_NOW_LAST);
    exchanges_fin(&connection->http, http_side(connection, sender));
}

void connections_init(struct connections *table, size_t keep)
{
    memset(table, 0, sizeof(*table));
    table->shared = memory_new(1, sizeof(*table->shared));
    exchanges_shared_init(table->shared, keep);
    table->n_buckets = BUCKETS_MIN;
    table->buckets = memory_new(table->n_buckets, sizeof(struct connection *));
}

static void connection_free(struct connection *connection)
{
    tcp_stream_deinit(&connection->streams[0]);
    tcp_stream_deinit(&connection->streams[1]);
    exchanges_deinit(&connection->http);
    free(connection->clash);
    free(connection);
}

void connections_deinit(struct connections *table)
{
    for (size_t i = 0; i < table->count; i++)
        connection_free(table->items[i]);
    if (table->shared != NULL) {
        exchanges_shared_deinit(table->shared);
        free(table->shared);
    }
    free(table->items);
    free(table->touched.items);
    knocks_free(table->knocks);
    free(table->buckets);
    memset(table, 0, sizeof(*table));
}

static struct connection **bucket_of(
    const struct connections *table, const struct endpoint *a, const struct endpoint *b)
{
    return &table->buckets[endpoint_pair_hash(a, b) & (table->n_buckets - 1)];
}

static void buckets_grow(struct connections *table)
{
    free(table->buckets);
    table->n_buckets *= 4;
    table->buckets = memory_new(table->n_buckets, sizeof(struct connection *));
    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];
        struct connection **bucket = bucket_of(table, &connection->ends[0], &connection->ends[1]);

        if (connection->newer != NULL)
            continue;
        connection->next = *bucket;
        *bucket = connection;
    }
}

/* Puts a connection into the table: in the place of OLDER, if there was one between its ends. */
static void insert(
    struct connections *table, struct connection *connection, struct connection *older)
{
    struct connection **at = bucket_of(table, &connection->ends[0], &connection->ends[1]);

    if (older == NULL) {
        if (++table->n_pairs > table->n_buckets) {
            buckets_grow(table);
            at = bucket_of(table, &connection->ends[0], &connection->ends[1]);
        }
        connection->next = *at;
    } else {
        while (*at != older)
            at = &(*at)->next;
        connection->next = older->next;
        older->newer = connection;
    }
    connection->older = older;
    *at = connection;
}

static void connection_end(struct connection *connection)
{
    tcp_stream_finish(&connection->streams[0]);
    tcp_stream_finish(&connection->streams[1]);
    exchanges_finish(&connection->http);
    tcp_stream_deinit(&connection->streams[0]);
    tcp_stream_deinit(&connection->streams[1]);
}

static struct connection *connection_add(
    struct connections *table, const struct segment *segment, struct connection *older)
{
    struct connection *connection = memory_new(1, sizeof(*connection));
    bool syn = (segment->flags & SEGMENT_SYN) != 0, ack = (segment->flags & SEGMENT_ACK) != 0;

    connection->ends[0] = segment->from;
    connection->ends[1] = segment->to;
    connection->late = !syn;
    connection->role_known = syn;
    connection->client = syn ? ack : segment->from.port < segment->to.port;
    connection->lane = (uint8_t)lane_of(segment, 0);
    connection->first_ns = segment->time_ns;
    connection->sink = (struct tcp_sink){on_data, on_gap, on_clash, on_fin, connection};
    tcp_stream_init(&connection->streams[0], &connection->sink, 0);
    tcp_stream_init(&connection->streams[1], &connection->sink, 1);
    exchanges_init(&connection->http, connection, table->shared, connection->late);

    insert(table, connection, older);
    table->items =
        memory_room(table->items, table->count, &table->room, sizeof(struct connection *));
    table->items[table->count++] = connection;
    return connection;
}

/* A connection without a beginning may be one that was opened, and has been forgotten. */
static void remember(struct connections *table, struct connection *connection)
{
    struct knock knock;
    bool from_client;

    if (!connection->late || table->knocks == NULL ||
        !knocks_take(
            table->knocks, &connection->ends[0], &connection->ends[1], &knock, &from_client))
        return;
    table->forgotten--; /* it is not another one */
    connection->late = false;
    connection->role_known = true;
    connection->client = from_client ? 0 : 1;
    exchanges_not_late(&connection->http);
    for (int side = 0; side < 2; side++) {
        int sender = side == SIDE_CLIENT ? connection->client : !connection->client;

        if (!knock.has_isn[side])
            continue;
        connection->has_isn[sender] = true;
        connection->isn[sender] = knock.isn[side];
        tcp_stream_start(&connection->streams[sender], knock.isn[side] + 1);
    }
}

/* What is known of a connection that is forgotten before a byte was said. */
static void note_knock(struct connections *table, const struct connection *connection)
{
    struct knock knock = {0};

    if (connection->late || connection_exchanges(connection) > 0 || connection->reset)
        return;
    for (int side = 0; side < 2; side++) {
        int sender = side == SIDE_CLIENT ? connection->client : !connection->client;

        if (connection->streams[sender].started &&
            (uint32_t)connection->streams[sender].next != connection->isn[sender] + 1)
            return;
        knock.has_isn[side] = connection->has_isn[sender];
        knock.isn[side] = connection->isn[sender];
    }
    if (table->knocks == NULL)
        table->knocks = knocks_new();
    knocks_put(table->knocks, connection_client(connection), connection_server(connection), &knock);
}

/* True for a SYN that cannot belong to the connection: it has another initial number. */
static bool begins_another(
    const struct connection *connection, const struct segment *segment, int sender)
{
    if ((segment->flags & SEGMENT_SYN) == 0)
        return false;
    if (connection->has_isn[sender])
        return connection->isn[sender] != segment->seq;
    if (connection->streams[sender]
            .started) /* data, or the peer's acknowledgement, came before it */
        return connection->streams[sender].first != segment->seq + 1 &&
               segment->time_ns >= connection->first_ns; /* or it is only late in the file */
    return (segment->flags & SEGMENT_ACK) == 0;
}

void connection_list_add(struct connection_list *list, struct connection *connection)
{
    list->items = memory_room(list->items, list->count, &list->room, sizeof(struct connection *));
    list->items[list->count++] = connection;
}

struct connection_list connections_all(const struct connections *table)
{
    return (struct connection_list){table->items, table->count, 0};
}

void connections_segment(void *arg, const struct segment *segment)
{
    struct connections *table = arg;
    struct connection *newest = connections_between(table, &segment->from, &segment->to);
    struct connection *connection = lane_find(newest, segment);
    int sender = connection != NULL && !endpoint_equal(&connection->ends[0], &segment->from);

    if (connection == NULL || begins_another(connection, segment, sender)) {
        bool rival = connection != NULL && lane_is_open(connection);

        if (connection != NULL) {
            connection_end(connection);
            connection->superseded = true;
        }
        connection = connection_add(table, segment, newest);
        connection->rival = rival;
        remember(table, connection);
        sender = 0;
    }
    if (connection->rival && lane_goes_on(connection->older, segment))
        connection->mixed = connection->older->mixed = true;
    if (!connection->touched)
        connection_list_add(&table->touched, connection);
    connection->touched = true;
    if ((segment->flags & SEGMENT_SYN) != 0 && !connection->has_isn[sender]) {
        connection->has_isn[sender] = true;
        connection->isn[sender] = segment->seq;
        if (!connection->streams[sender].started)
            tcp_stream_start(&connection->streams[sender], segment->seq + 1);
    }
    if (segment->time_ns > connection->last_ns)
        connection->last_ns = segment->time_ns;
    if ((segment->flags & (SEGMENT_RST | SEGMENT_FIN)) != 0 && connection->closed_ns[sender] == 0)
        connection->closed_ns[sender] = segment->time_ns;
    if ((segment->flags & SEGMENT_RST) != 0) {
        connection->reset = true;
        return;
    }
    if ((segment->flags & SEGMENT_ACK) != 0)
        tcp_stream_ack(&connection->streams[!sender], segment->ack);
    tcp_stream_segment(&connection->streams[sender], segment);
    tcp_stream_pass_acked(&connection->streams[!sender], segment->time_ns);
    if (connection->streams[0].fin_given && connection->streams[1].fin_given) {
        tcp_stream_forget(&connection->streams[0]);
        tcp_stream_forget(&connection->streams[1]);
    }
}

void connections_finish(struct connections *table)
{
    for (size_t i = 0; i < table->count; i++)
        connection_end(table->items[i]);
}

/* Takes a connection out of the table's buckets. */
static void remove_connection(struct connections *table, struct connection *connection)
{
    struct connection *older = connection->older;
    struct connection **at;

    if (older != NULL)
        older->newer = connection->newer;
    if (connection->newer != NULL) {
        connection->newer->older = older;
        return;
    }
    at = bucket_of(table, &connection->ends[0], &connection->ends[1]);
    while (*at != connection)
        at = &(*at)->next;
    *at = older != NULL ? older : connection->next;
    if (older != NULL)
        older->next = connection->next;
    else
        table->n_pairs--;
}

void connections_forget(struct connections *table,
    void (*take)(void *arg, const struct connection *connection), void *arg)
{
    size_t kept = 0;

    for (size_t i = 0; i < table->count; i++) {
        struct connection *connection = table->items[i];

        if (!connection->doomed) {
            table->items[kept++] = connection;
            continue;
        }
        take(arg, connection);
        note_knock(table, connection);
        remove_connection(table, connection);
        connection_free(connection);
    }
    table->forgotten += table->count - kept;
    table->count = kept;
}
