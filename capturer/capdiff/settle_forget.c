#include "capturer/capdiff/pairing.h"
#include "capturer/capdiff/settle_state.h"

#define LINGERING_MAX 4096 /* connections that are over and stay, for segments that come late */
#define SILENT_MAX 16384   /* connections without a byte, which are not over */
#define DOOMED_MIN 1024    /* fewer than those are not worth the way through the tables */

struct connection *settle_first(struct connection *connection)
{
    while (connection->towards_client != NULL)
        connection = connection->towards_client;
    return connection;
}

void settle_forget_exchanges(struct connection *connection)
{
    size_t before = connection->http.count;

    exchanges_forget(&connection->http);
    connection->settled += before - connection->http.count;
    if (before > connection->http.count)
        connection->logged = 0;
}

/* Nothing of it is left, and nothing was ever wrong with it. */
static bool is_done(const struct connection *connection)
{
    return connection->http.count == 0 && connection_is_over(connection) &&
           connection_is_sure(connection) && connection->clashes == 0;
}

static bool all_are_done(const struct connection *connection)
{
    while (connection != NULL && is_done(connection))
        connection = connection->towards_server;
    return connection == NULL;
}

/* Nothing that could be read was said on it so far, and nobody knows of it. */
static bool is_silent(const struct connection *connection)
{
    return connection_exchanges(connection) == 0 && connection->towards_client == NULL &&
           connection->towards_server == NULL && connection->clashes == 0 &&
           exchanges_are_idle(&connection->http);
}

/* A connection and its counterparts. */
static void doom(struct settling *settling, struct connection *first)
{
    for (; first != NULL; first = first->towards_server) {
        settling->doomed += !first->doomed;
        first->doomed = true;
    }
}

/* Those that have been over for the longest time go. */
static void doom_over(struct settling *settling)
{
    struct settle_queue *queue = &settling->over;
    size_t waiting = queue->list.count - queue->first;

    for (; waiting > LINGERING_MAX; waiting--) {
        struct connection *connection = queue->list.items[queue->first++];

        connection->over = false;
        if (all_are_done(settle_first(connection)))
            doom(settling, settle_first(connection));
    }
    if (queue->first < LINGERING_MAX)
        return;
    for (size_t i = 0; i < waiting; i++) /* the list begins with what comes next */
        queue->list.items[i] = queue->list.items[queue->first + i];
    queue->list.count = waiting;
    queue->first = 0;
}

/* Of those that are not among the newest, the ones that never said anything go. */
static void doom_silent(struct settling *settling, struct connections *table, size_t *from)
{
    for (; *from + SILENT_MAX < table->count; (*from)++) {
        if (!table->items[*from]->doomed && is_silent(table->items[*from]))
            doom(settling, table->items[*from]);
    }
}

struct farewell {
    struct evidence *evidence;
    enum source source;
};

/* What is told of all connections, of one that goes. */
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
    if (farewell->source == SOURCE_PROXY && connection_is_doubtful(connection))
        evidence->settled.unsure[connection->leg] = true;
    if (connection->leg != LEG_UPSTREAM || connection->towards_client == NULL)
        return;
    addresses_add(farewell->source == SOURCE_SERVER ? &evidence->settled.at_server
                                                    : &evidence->settled.at_proxy,
        connection_client(connection));
}

static void leave_list(struct connection_list *list, size_t from)
{
    size_t kept = 0;

    for (size_t i = from; i < list->count; i++) {
        if (!list->items[i]->doomed)
            list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

/* No list may hold those that go. */
static void leave_lists(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    leave_list(&settling->clients, 0);
    leave_list(&settling->upstreams, 0);
    leave_list(&settling->over.list, settling->over.first);
    settling->over.first = 0;
    for (int source = 0; source < SOURCES; source++)
        leave_list(&settle_table(evidence, source)->touched, 0);
    for (int round = 0; round < SETTLE_RECENT; round++) {
        for (int source = 0; source < SOURCES; source++)
            leave_list(&settling->recent[round][source], 0);
    }
}

void settle_bury(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    leave_lists(evidence);
    for (int source = 0; source < SOURCES; source++) {
        struct farewell farewell = {evidence, (enum source)source};
        size_t before = settling->silent_to[source];

        for (size_t i = 0; i < before; i++)
            settling->silent_to[source] -= settle_table(evidence, source)->items[i]->doomed;
        connections_forget(settle_table(evidence, source), take_leave, &farewell);
    }
    settling->doomed = 0;
}

/*
 * This round's connections go among the recent ones, in the place of those of a round long ago.
 * Which of these had no segment since are quiet: what might be sent again on them is forgotten.
 */
static void untouch(struct settling *settling, struct connections *table, int source)
{
    struct connection_list *recent = &settling->recent[settling->round % SETTLE_RECENT][source];
    struct connection_list old = *recent;

    for (size_t i = 0; i < old.count; i++) {
        if (old.items[i]->round + SETTLE_RECENT <= settling->round)
            connection_rest(old.items[i]);
    }
    for (size_t i = 0; i < table->touched.count; i++)
        table->touched.items[i]->touched = false;
    *recent = table->touched;
    table->touched = old;
    table->touched.count = 0;
}

/* The exchanges of a connection and its counterparts; and soon it, too, if nothing is left. */
static void forget_chain(struct settling *settling, struct connection *first)
{
    settle_forget_exchanges(first);
    for (struct connection *at = first->towards_server; at != NULL; at = at->towards_server)
        settle_forget_exchanges(at);
    if (first->over || first->doomed || !all_are_done(first))
        return;
    first->over = true;
    connection_list_add(&settling->over.list, first);
}

void settle_forget_silent(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;
    size_t count = 0;

    for (int source = 0; source < SOURCES; source++) {
        struct connections *table = settle_table(evidence, source);

        doom_silent(settling, table, &settling->silent_to[source]);
        count += table->count;
    }
    if (settling->doomed > DOOMED_MIN && settling->doomed > count / 8)
        settle_bury(evidence);
}

void settle_forget(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    for (size_t i = 0; i < settling->heads.count; i++)
        forget_chain(settling, settling->heads.items[i]);
    doom_over(settling);
    for (int source = 0; source < SOURCES; source++)
        untouch(settling, settle_table(evidence, source), source);
    settle_forget_silent(evidence);
}
