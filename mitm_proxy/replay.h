/*
 * A request that the proxy sends again, on connections of its own; the answers go nowhere, but into
 * the exchange log.
 */
#ifndef MITM_PROXY_REPLAY_H
#define MITM_PROXY_REPLAY_H

#include "mitm_proxy/proxy.h"
#include "mitm_proxy/rules.h"

#define REPLAYS_KEEP_MAX (64UL << 20) /* bytes of all requests that are to be sent again */

struct replay;

/* False: a request of so many bytes would be too much to keep on top of the others. */
bool replay_has_room(const struct proxy *proxy, size_t bytes);

/*
 * Copies REQUEST, which are the bytes as EXCHANGE passed them on, by a rule of RULES. TIMES
 * requests, AFTER_MS before each; the next one begins when the one before is over. CUT: they have
 * no end, and a FIN follows instead. NULL when there is no memory.
 */
struct replay *replay_new(struct proxy *proxy, const struct exchange *exchange,
    struct slice request, bool cut, const struct rule *rule, struct rules *rules,
    const struct rule_action *action);

/* A list of those that wait for their start. */
void replay_push(struct replay **list, struct replay *replay);

/*
 * Starts those of the list: from now on they belong to the proxy. EXCHANGE is that of replay_new,
 * and knows by now what of the request has gone on.
 */
void replay_start(struct replay **list, const struct exchange *exchange);
/* Only those that go at the same time (duplicate). */
void replay_start_copies(struct replay **list, const struct exchange *exchange);
void replay_discard(struct replay **list);

/* Ends now; what is under way fails with the word "shutdown". */
void replay_abort(struct replay *replay);
/* Ends those that wait for their time. */
void replay_drain(struct replay *replay);

/* The next of the proxy's replays, or NULL. */
struct replay *replay_next(const struct replay *replay);

#endif
