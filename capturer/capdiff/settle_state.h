/*
 * What the rooms of settling hand to each other: settle (when, and where room is short),
 * settle_exchanges (which exchanges go), settle_pairs (who is whose counterpart, as far as was
 * read), settle_forget (which connections go).
 */
#ifndef CAPDIFF_SETTLE_STATE_H
#define CAPDIFF_SETTLE_STATE_H

#include "capturer/capdiff/settle.h"
#include "capturer/capdiff/settled_requests.h"

/* Connections in the order in which they came. */
struct settle_queue {
    struct connection_list list;
    size_t first;
};

#define SETTLE_RECENT 32 /* rounds, after which a connection without a segment is quiet */

struct settling {
    uint64_t round;
    struct settled_requests *requests;
    /* Of the proxy's recording, without a counterpart inside the proxy so far. */
    struct connection_list clients, upstreams;
    /* This round's: connections in the view nearest to the client whose exchanges may go. */
    struct connection_list heads;
    /* The connections that had segments in the last rounds, by round. */
    struct connection_list recent[SETTLE_RECENT][SOURCES];
    struct settle_queue over;  /* those of which nothing is left, but for late segments */
    size_t silent_to[SOURCES]; /* those before this one that are silent have gone */
    size_t doomed;
    size_t looked_at; /* bytes that were held when all of them were looked through */
};

struct connections *settle_table(struct evidence *evidence, int source);

/* The first of a connection's views, towards the client. */
struct connection *settle_first(struct connection *connection);

/*
 * True where a log tells, or may yet, which client's connection went on as which: it comes later
 * than the bytes and knows better, so what it has not told of says nothing of the proxy.
 */
bool settle_awaits_log(const struct evidence *evidence);

/* Settles those exchanges that are first seen on this connection. */
void settle_exchanges(struct evidence *evidence, const struct option_list *ignore,
    const struct connection *connection);

/* Pairs what has come since the last round, aligns it, and fills the list of heads. */
void settle_pairs(struct evidence *evidence);

/* Frees the exchanges that are settled, and connections of which nothing is left. */
void settle_forget(struct evidence *evidence);

/* Frees connections that never said anything. */
void settle_forget_silent(struct evidence *evidence);

/* Frees those that are doomed, at once. */
void settle_bury(struct evidence *evidence);

/* Frees the exchanges of one connection. */
void settle_forget_exchanges(struct connection *connection);

#endif
