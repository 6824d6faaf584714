/*
 * Segments → the TCP connections of one recording, each with its HTTP exchanges.
 *
 * A SYN with another initial number on the same pair of endpoints begins another connection: in the
 * place of the one before (port reuse), or beside it (lane.h). The side that a SYN goes to is the
 * server; where the SYN was not recorded, the first segment that begins like a request or a
 * response tells.
 */
#ifndef CAPDIFF_CONNECTION_H
#define CAPDIFF_CONNECTION_H

#include "capturer/capdiff/exchanges.h"
#include "capturer/capdiff/packet.h"
#include "capturer/capdiff/pair_how.h"
#include "capturer/capdiff/tcp_stream.h"

enum leg {
    LEG_OTHER, /* nothing that went through the proxy */
    LEG_CLIENT,
    LEG_UPSTREAM,
};

#define CLASH_SHOWN_MAX 160 /* bytes */

/* Two versions of the same bytes of a stream: one of them was injected, or a host is broken. */
struct clash {
    int sender;
    uint64_t time_ns; /* of the later one */
    uint32_t seq;     /* of the first byte shown */
    size_t len, at;   /* bytes shown, and the first that differs */
    char before[CLASH_SHOWN_MAX], later[CLASH_SHOWN_MAX];
};

struct connection {
    struct endpoint ends[2]; /* by sender: [0] sent the first segment recorded */
    int client;              /* which of them is the client; a guess until role_known */
    bool role_known;
    bool late;       /* its beginning was not recorded */
    bool has_isn[2]; /* by sender */
    uint32_t isn[2];
    bool reset;
    bool superseded; /* another one began in its place, between the same ends */
    bool rival;      /* the one before between the same ends had not ended when it began */
    bool mixed;      /* … and went on, and nothing tells their segments apart */
    uint8_t lane;    /* enum lane */
    uint64_t first_ns, last_ns;
    uint64_t closed_ns[2];        /* by sender: its first FIN or RST; 0: none */
    uint64_t clashes;             /* segments with other bytes under numbers seen before */
    struct clash *clash;          /* the first of them; or NULL */
    struct tcp_stream streams[2]; /* by sender */
    struct exchanges http;
    struct tcp_sink sink;
    struct connection *next;          /* between other ends with the same hash */
    struct connection *older, *newer; /* the ones before and after between the same ends */

    /* What pairing found out. */
    enum leg leg;
    struct connection *towards_server, *towards_client;
    enum pair_how how; /* about towards_server */
    enum pair_sureness sure;
    bool claimed; /* the log says whose its exchanges are: nobody's, or one by one */
    bool uneven;  /* the log says that not each request has one response (redeal.h) */
    bool pooled;  /* its exchanges are paired one by one, whatever their connections (pool.h) */
    const struct connection *linked; /* pool.c's: one that a call of it surely went by */
    size_t logged; /* its exchanges before this one have their records in the log */

    /* What settling (settle.h) knows of it. */
    uint8_t source;          /* which of the run's recordings has it */
    bool touched;            /* it is in its table's list of those */
    bool placed;             /* its leg is known */
    bool waiting;            /* for its counterpart inside the proxy */
    bool over;               /* it is in the queue of those that may go */
    bool doomed;             /* it goes, by connections_forget */
    uint64_t round, aligned; /* the last ones in which it had segments, and was aligned */
    uint64_t settled;        /* exchanges that were counted and forgotten */
};

/* Some connections. */
struct connection_list {
    struct connection **items;
    size_t count, room;
};

void connection_list_add(struct connection_list *list, struct connection *connection);

struct connections {
    struct connection **items; /* in the order of their first segments */
    size_t count, room;
    struct connection **buckets; /* by hash of both ends: the newest between them */
    size_t n_buckets, n_pairs;
    struct exchanges_shared *shared;
    struct connection_list touched; /* those with segments since the list was emptied */
    struct knocks *knocks;          /* NULL: none was forgotten */
    uint64_t forgotten;             /* connections that are not in ITEMS any more */
};

const struct endpoint *connection_client(const struct connection *connection);
const struct endpoint *connection_server(const struct connection *connection);

/* All exchanges, those that were forgotten included. */
uint64_t connection_exchanges(const struct connection *connection);

/*
 * Nothing of it is under way: both sides have closed, one has reset it, or another began between
 * the same ends; and all was read.
 */
bool connection_is_over(const struct connection *connection);

/* When the client closed its side, or broke the connection off; 0: it did not. */
uint64_t connection_client_left_ns(const struct connection *connection);

/* Both sides closed it, or one broke it off: nothing more was to come. */
bool connection_has_ended(const struct connection *connection);

/* Holes in both directions. */
uint64_t connection_gaps(const struct connection *connection);

/* Bytes flowed on it, whether or not they were recorded or anything could be read from them. */
bool connection_carried_data(const struct connection *connection);

/* Nothing of it is missing from the recording so far: its beginning is there, and no gap. */
bool connection_is_sure(const struct connection *connection);

/* Bytes flowed on it, and not all of them, or not its beginning, were recorded. */
bool connection_is_doubtful(const struct connection *connection);

/* Frees what it can do without until its next segment. */
void connection_rest(struct connection *connection);

/* The newest connection between two ends, in either order, and the one before; NULL: none. */
struct connection *connections_between(
    const struct connections *table, const struct endpoint *a, const struct endpoint *b);
struct connection *connection_older(const struct connection *connection);

/* KEEP: bytes of messages that may be kept in all; past it digests decide. */
void connections_init(struct connections *table, size_t keep);
void connections_deinit(struct connections *table);

/* All of them. */
struct connection_list connections_all(const struct connections *table);

/* Takes the next segment; for capture_read, ARG is the table. */
void connections_segment(void *arg, const struct segment *segment);

/* No more segments come. */
void connections_finish(struct connections *table);

/* Frees the doomed ones, which nothing may point to; TAKE is told of each before. */
void connections_forget(struct connections *table,
    void (*take)(void *arg, const struct connection *connection), void *arg);

#endif
