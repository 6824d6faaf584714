/*
 * What a run has found: differences, which decide for "differ", and doubts, which forbid "same".
 *
 * Absence has four names. *Lost*: the recording shows that it never came, which is a finding.
 * *Missed*: it came, and the recording has not got it. *Outside the window*: the recording was not
 * running. *Inconclusive*: none of these can be shown. The last three are doubts.
 */
#ifndef CAPDIFF_FINDINGS_H
#define CAPDIFF_FINDINGS_H

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/compare.h"
#include "capturer/capdiff/evidence.h"

#define FINDINGS_MAX 10000                            /* told in detail; the rest is counted */
#define FINDINGS_PATCH_MAX ((size_t)16 * 1024 * 1024) /* bytes of JSON operations in all */

enum finding_kind {
    FINDING_CHANGED,     /* other bytes came out than went in; see place */
    FINDING_CUT,         /* the receiver was given an end before the end */
    FINDING_UNASKED,     /* the proxy answered, and the server was never asked */
    FINDING_INVENTED,    /* the server was asked what no client had asked */
    FINDING_DUPLICATED,  /* the server was asked again what had been asked once */
    FINDING_LOST,        /* the server was never asked what the proxy had asked */
    FINDING_OVERLAP,     /* TCP segments with other bytes under numbers seen before */
    FINDING_LOG_BODY,    /* the log's digest is not the body's, or its count not a tunnel's */
    FINDING_LOG_STATUS,  /* the log's status is not the response's */
    FINDING_LOG_CHANGE,  /* a change that the log declares is not on the wire, or another one is */
    FINDING_LOG_REQUEST, /* the log's method or target is not the request's */
    FINDING_LOG_ONLY,    /* the log tells of an exchange that was not on the wire */
    FINDING_UNLOGGED,    /* the log does not tell of one that was */
    FINDING_DROPPED,     /* the proxy did not pass a message on, and answered nothing */
    FINDING_FORGED,      /* the proxy answered, and the server, which was asked, had not */
};
#define FINDING_KINDS 15

struct finding {
    enum finding_kind kind;
    enum hop hop;
    uint64_t number;                 /* of the exchange; 0: it has none */
    uint64_t time_ns;                /* of the exchange; 0: not known */
    const struct crossing *crossing; /* of the evidence; NULL: no exchange there */
    char *call_id;                   /* escaped; or NULL */
    struct place place; /* FINDING_CHANGED: all of it; else a text, and perhaps before and after */
};

enum doubt_kind {
    DOUBT_NOTHING,    /* there is no exchange to compare */
    DOUBT_NO_LEG,     /* a leg was not found at all */
    DOUBT_SAME_ENDS,  /* connections with the same ends at once, which nothing tells apart */
    DOUBT_TLS,        /* connections whose TLS cannot be read, nor held against TLS like it */
    DOUBT_CUT,        /* the file ends inside a packet */
    DOUBT_DAMAGED,    /* the file cannot be read to its end */
    DOUBT_LATE,       /* recording began in the middle of connections */
    DOUBT_GAP,        /* acknowledged and not recorded */
    DOUBT_FRAGMENTS,  /* IP fragments that could not be put together */
    DOUBT_DROPPED,    /* packets were lost in recording, as its maker says */
    DOUBT_MISSED,     /* exchanges lie where this recording has gaps or lost packets */
    DOUBT_OUTSIDE,    /* exchanges were before this recording began, or after it ended */
    DOUBT_LACKS,      /* another recording has exchanges that this one has not; why is not known */
    DOUBT_INCOMPLETE, /* exchanges that no view has whole */
    DOUBT_LOG_ALONE,  /* the log tells of exchanges that no capture has */
    DOUBT_LOG_TORN,   /* lines of the log cannot be read */
    DOUBT_UNLOGGED,   /* exchanges that the torn log may have told of */
    DOUBT_LOG_CHANGE, /* the log declares changes that cannot be understood */
    DOUBT_CROWDED,    /* exchanges that could not be held in memory until their others came */
};
#define DOUBT_KINDS 19

/* One kind of doubt about one recording, however often. */
struct doubt {
    uint64_t count; /* exchanges, or whatever the kind counts */
    uint64_t first_ns, last_ns;
    uint64_t first_number; /* exchange; 0: it has none */
    char *first_call_id;   /* escaped; or NULL */
};

enum verdict {
    VERDICT_SAME,
    VERDICT_DIFFER,
    VERDICT_INCONCLUSIVE,
};

struct findings {
    bool counting; /* none is told in detail */
    struct finding *items;
    size_t count, room;
    uint64_t total; /* findings, told or only counted */
    uint64_t per_hop[HOPS];
    uint64_t exchanges; /* that have at least one */
    size_t patch_bytes;
    uint64_t declared, ignored; /* differences that do not count */
    struct doubt doubts[DOUBT_KINDS][SOURCES];
    uint64_t compared;         /* exchanges compared in every view */
    uint64_t consistent_cuts;  /* exchanges cut alike in every view, which the log explains */
    uint64_t declared_unasked; /* answered by the proxy, as the log says */
    uint64_t unread;           /* of these, tunnels and the like: as bytes */
    uint64_t in_proxy;         /* compared inside the proxy only: at the server they are in TLS */
    uint64_t aside;            /* exchanges with the server that never went through the proxy */
    uint64_t torn; /* exchanges whose record must be the torn last line of the log; 1 at most */
};

/* Takes over PLACE's memory. */
void findings_add(struct findings *findings, enum finding_kind kind, enum hop hop,
    const struct crossing *crossing, struct place *place);

/* The same with nothing but a text, which is copied. */
void findings_say(struct findings *findings, enum finding_kind kind, enum hop hop,
    const struct crossing *crossing, const char *text);

/* CROSSING may be NULL, as in the two above. */
void findings_doubt(struct findings *findings, enum doubt_kind kind, enum source source,
    const struct crossing *crossing);

/* Exchanges that SOURCE has not got, and another recording has: missed, outside, or not known why.
 */
uint64_t findings_lacking(const struct findings *findings, enum source source);

/* Findings to come are only counted. */
bool findings_full(const struct findings *findings);

/* Bytes that the operations of a message's findings may have. */
size_t findings_patch_room(const struct findings *findings);

void findings_deinit(struct findings *findings);

enum verdict findings_verdict(const struct findings *findings);

/* True if a recording that is still being written may yet hold what is missing. */
bool findings_may_heal(const struct findings *findings);

const char *hop_text(enum hop hop);
const char *hop_word(enum hop hop);
const char *finding_word(enum finding_kind kind);
const char *doubt_word(enum doubt_kind kind);
const char *verdict_word(enum verdict verdict);

/* The call id of whichever view has it, or NULL. */
const char *crossing_call_id(const struct crossing *crossing);

#endif
