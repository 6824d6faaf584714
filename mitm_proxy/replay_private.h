/*
 * What the files of the replay share: replay.c (its life) and replay_once.c (one request).
 */
#ifndef MITM_PROXY_REPLAY_PRIVATE_H
#define MITM_PROXY_REPLAY_PRIVATE_H

#include "lib/dial.h"
#include "lib/http_parser.h"
#include "mitm_proxy/replay.h"

enum replay_state {
    REPLAY_WAITING, /* for its time */
    REPLAY_DIALING,
    REPLAY_SENT,
    REPLAY_CLOSING, /* one request is over; another may follow */
};

struct replay {
    struct proxy *proxy;
    struct replay *next, **link;
    enum replay_state state;
    struct rules *rules; /* which own the rule */
    const struct rule *rule;
    const struct rule_action *action;
    uint64_t of; /* id of the exchange that is replayed */
    uint64_t times_left, after_ms;
    bool cut, aborted;
    struct buf request;
    size_t keeps;          /* bytes, by which proxy->replays_keep goes down in the end */
    struct exchange *like; /* what all of them have in common */
    struct destination to;

    /* Of the one that is under way: */
    struct exchange *exchange;
    struct connection connection;
    struct stream upstream;
    struct dial *dial;
    struct http_parser *responses;
    struct sha256 *sha;
    uv_timer_t timer;
};

/* replay.c */

void replay_set_timer(struct replay *replay, uint64_t ms);
/* All handles of one request are closed: the next one, or the end. */
void replay_go_on(struct replay *replay);

/* replay_once.c */

/* Sends the request once more. */
void replay_begin(struct replay *replay);
/* The request is over, with that error or none; replay_go_on follows. */
void replay_finish(struct replay *replay, const char *error, const char *reason);
/* It could not be connected: UV_E* or UV_EAI_*. */
void replay_fail(struct replay *replay, int err);

#endif
