#include "capturer/capdiff/align.h"
#include "capturer/capdiff/pair.h"
#include "capturer/capdiff/settle_state.h"

#define WAITING_MAX 128 /* rounds without a segment, after which only the end may tell */

/* Its leg is known from its ends; so is its counterpart in the next recording. */
static void place(struct evidence *evidence, enum source source, struct connection *connection)
{
    struct connections *proxy = settle_table(evidence, SOURCE_PROXY);
    bool at_client = source == SOURCE_CLIENT_HOST;

    connection->source = (uint8_t)source;
    if (!connection->placed)
        connection->leg = legs_of(connection, &evidence->legs, source == SOURCE_SERVER);
    connection->placed = true;
    if (at_client && connection->leg == LEG_CLIENT && connection->towards_server == NULL)
        legs_match_near(connection, proxy);
    if (connection->leg != LEG_UPSTREAM)
        return;
    if (source == SOURCE_PROXY && connection->towards_server == NULL)
        legs_match_near(connection, settle_table(evidence, SOURCE_SERVER));
    else if (source == SOURCE_SERVER && connection->towards_client == NULL)
        legs_match_far(connection, proxy);
}

static void wait_for_pair(struct settling *settling, struct connection *connection)
{
    bool client = connection->leg == LEG_CLIENT && connection->towards_server == NULL;
    bool upstream = connection->leg == LEG_UPSTREAM && connection->towards_client == NULL;

    if (connection->waiting || (!client && !upstream))
        return;
    connection->waiting = true;
    connection_list_add(client ? &settling->clients : &settling->upstreams, connection);
}

/* Leaves those that have found their counterpart, have gone, or wait in vain. */
static void stop_waiting(struct connection_list *list, uint64_t round)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct connection *connection = list->items[i];
        bool paired = connection->leg == LEG_CLIENT ? connection->towards_server != NULL
                                                    : connection->towards_client != NULL;

        connection->waiting =
            !paired && !connection->doomed && connection->round + WAITING_MAX > round;
        if (connection->waiting)
            list->items[kept++] = connection;
    }
    list->count = kept;
}

bool settle_awaits_log(const struct evidence *evidence)
{
    return evidence->has_log && (evidence->log.read == 0 || evidence->log.tells_upstream);
}

static void pair_in_proxy(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    if (evidence->has_log)
        pair_by_log_sure(settle_table(evidence, SOURCE_PROXY), &evidence->log,
            &evidence->legs.proxy, &evidence->legs.server);
    if (!settle_awaits_log(evidence))
        pair_legs_sure(&settling->clients, &settling->upstreams);
    stop_waiting(&settling->clients, settling->round);
    stop_waiting(&settling->upstreams, settling->round);
}

/* Every connection of the chain, each against the next; once in a round. */
static void align_chain(struct settling *settling, struct connection *first)
{
    if (first->aligned == settling->round)
        return;
    first->aligned = settling->round;
    connection_list_add(&settling->heads, first);
    for (; first->towards_server != NULL; first = first->towards_server)
        align_exchanges(first, first->towards_server, false);
}

void settle_pairs(struct evidence *evidence)
{
    struct settling *settling = evidence->settled.settling;

    for (int source = 0; source < SOURCES; source++) {
        const struct connection_list *touched = &settle_table(evidence, source)->touched;

        for (size_t i = 0; i < touched->count; i++) {
            touched->items[i]->round = settling->round;
            place(evidence, (enum source)source, touched->items[i]);
            if (source == SOURCE_PROXY && !evidence->legs.one_leg && !evidence->settled.pooled)
                wait_for_pair(settling, touched->items[i]);
        }
    }
    pair_in_proxy(evidence);
    settling->heads.count = 0;
    for (int source = 0; source < SOURCES; source++) {
        const struct connection_list *touched = &settle_table(evidence, source)->touched;

        for (size_t i = 0; i < touched->count; i++)
            align_chain(settling, settle_first(touched->items[i]));
    }
}
