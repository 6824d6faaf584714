/*
 * All that was read, put together: the recordings, the exchange log, and each exchange in every
 * view that saw it.
 */
#ifndef CAPDIFF_EVIDENCE_H
#define CAPDIFF_EVIDENCE_H

#include "capturer/capdiff/clock_offset.h"
#include "capturer/capdiff/legs.h"
#include "capturer/capdiff/log_read.h"
#include "capturer/capdiff/options.h"
#include "capturer/capdiff/pair.h"
#include "capturer/capdiff/recording.h"

/* From the client to the server. */
enum view {
    VIEW_CLIENT_HOST,  /* the client's own recording, where --client gave one */
    VIEW_CLIENT_LEG,   /* client → proxy, at the proxy */
    VIEW_UPSTREAM_LEG, /* proxy → server, at the proxy */
    VIEW_SERVER,       /* proxy → server, at the server */
};
#define VIEWS 4

enum hop {
    HOP_CLIENT_TO_PROXY, /* on the way: the client's own capture against the proxy's */
    HOP_PROXY,           /* in the proxy: its client leg against its upstream leg */
    HOP_PROXY_TO_SERVER, /* on the way: the proxy's upstream leg against the server's capture */
    HOP_LOG,             /* between what the exchange log says and what was on the wire */
    HOP_BETWEEN,         /* between two captures of one leg: the first against the second */
};
#define HOPS 5

/* One exchange on its way, as each view saw it. */
struct crossing {
    const struct exchange *at[VIEWS]; /* NULL: that view has not got it */
    const struct log_record *record;  /* NULL: the log says nothing of it, or there is none */
    uint64_t number;                  /* the log's; without a log, numbering.h's */
    bool stored;                      /* among the evidence's crossings, so pointers to it last */
    uint64_t time_ns; /* its first byte in the view nearest to the client, by the proxy's clock */
};

enum source {
    SOURCE_CLIENT_HOST,
    SOURCE_PROXY,
    SOURCE_SERVER,
};
#define SOURCES 3

struct settling;

/* Exchanges that were judged as they were read, and are not told one by one. */
struct tally {
    uint64_t compared;
    uint64_t differ; /* of these, how many differ */
    uint64_t per_hop[HOPS];
    uint64_t declared, ignored; /* differences that do not count */
};

/* What settling (settle.h) has counted and forgotten. */
struct settled {
    bool begun;                    /* the legs are known, and exchanges have their numbers */
    size_t hold;                   /* bytes that are held before it is worth while */
    size_t asked_at;               /* bytes that were held when the legs were not to be found */
    uint64_t exchanges;            /* that came the same through every view */
    uint64_t unread;               /* of these, how many are tunnels and the like */
    bool crowded;                  /* what differs is judged and forgotten, too */
    struct tally tally;            /* that */
    uint64_t given_up[SOURCES];    /* exchanges that were forgotten without a look */
    uint64_t numbered;             /* exchanges that have got their number */
    bool pooled;                   /* connections are no pairs inside the proxy (pool.h) */
    struct settling *settling;     /* settle.h's own */
    bool unsure[LEG_UPSTREAM + 1]; /* not all of that leg was recorded at the proxy */
    struct addresses at_proxy, at_server; /* as in verdict_state.h, of forgotten connections */
};

struct evidence {
    struct recording recordings[SOURCES];
    bool has[SOURCES];
    struct exchange_log log;
    bool has_log;
    struct legs legs;
    struct legs_ports told; /* the ports of the services, by the options and the log; 0: not told */
    bool turned;            /* the second capture that was given is the proxy's */
    /* The clock on the server's side of a hop against the one on the client's side: the proxy's
     * against the client's own, and the server's against the proxy's. */
    struct clock_offset clocks[SOURCES];
    struct crossing *crossings; /* by time */
    size_t count, room;
    uint64_t paired[PAIR_HOWS]; /* client connections by how their upstream one was found */
    uint64_t pooled[PAIR_HOWS][PAIR_SURENESSES]; /* exchanges that were paired one by one */
    uint64_t unsure_pairs;                       /* of the connections in PAIRED and MATCHED */
    uint64_t matched[PAIR_HOWS]; /* upstream connections by how the server's view was found */
    struct settled settled;      /* what was forgotten as it was read */
};

/*
 * Reads every file that the options name and pairs what is in them. Where they name one capture
 * only, its exchanges are in VIEW_CLIENT_LEG, and there is nothing to judge. 0, or UV_E* with one
 * sentence in ERR and nothing to free: UV_ENOENT and UV_EOF mean that a file may yet come.
 */
int evidence_load(
    struct evidence *evidence, const struct capdiff_options *options, char *err, size_t err_size);
void evidence_deinit(struct evidence *evidence);

/* Exchanges in every view that were judged as they were read, and are not among the crossings. */
uint64_t evidence_forgotten(const struct evidence *evidence);

/* That recording is whole, and none of its exchanges was given up: what is not there never was. */
bool evidence_is_whole(const struct evidence *evidence, enum source source);

/* A stamp of one of the recordings by the clock of the proxy's; 0 stays 0. */
uint64_t evidence_time(const struct evidence *evidence, enum source source, uint64_t ns);

/* How far SOURCE's clock is ahead of the proxy's, in nanoseconds; see clock_offset_ns. */
int64_t evidence_offset_ns(const struct evidence *evidence, enum source source);

/* The exchange in the view nearest to the client; never NULL for a stored crossing. */
const struct exchange *crossing_exchange(const struct crossing *crossing);

/* How NEAR's counterpart towards the server was found; it has one. */
void pairing_of(const struct exchange *near, enum pair_how *how, enum pair_sureness *sure);

/* False for a view that nobody recorded, and for the proxy's client leg where there is no proxy. */
bool evidence_has_view(const struct evidence *evidence, enum view view);

/* The recording that a view is in, and what people call the view. */
enum source view_source(enum view view);
const char *view_text(enum view view);

#endif
