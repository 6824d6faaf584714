/*
 * Messages that hold and reorder keep waiting, whichever connection they are on.
 */
#ifndef MITM_PROXY_WAITING_H
#define MITM_PROXY_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "mitm_proxy/exchange.h"
#include "mitm_proxy/rules.h"
#include "mitm_proxy/valve.h"

/* One gate of a message's valve. Belongs to the message, and is in one list at most. */
struct waiter {
    struct waiter *next, **link;
    struct valve_gate gate;
    struct valve *valve;
    uint64_t id;    /* from 1, over all that ever waited */
    uint64_t since; /* loop time in ms */
    const struct rule *rule;
    const struct exchange *exchange;
    bool reorder;     /* else hold */
    bool paired;      /* with a later one, which lets it go */
    uint64_t lets_go; /* id of the one that goes when this message has gone; 0: none */
};

struct waiting {
    struct waiter *first;
    uint64_t last_id;
};

/* Shuts the valve, until it is let go or MS have passed. The other members are set. */
void waiting_add(struct waiting *waiting, struct waiter *waiter, uint64_t ms);
void waiting_remove(struct waiter *waiter);

/* The one that waits by reorder of that rule and has no pair yet, or NULL. */
struct waiter *waiting_unpaired(const struct waiting *waiting, const struct rule *rule);

/* False: hold keeps nothing by that id. */
bool waiting_release(struct waiting *waiting, uint64_t id);
/* Of reorder, too. */
bool waiting_let_go(struct waiting *waiting, uint64_t id);
/* The later one will not come: that one waits for another. */
void waiting_unpair(struct waiting *waiting, uint64_t id);
/* All that hold keeps: how many. */
size_t waiting_release_all(struct waiting *waiting);

/* Appends those that hold keeps as JSON, {"held":[…]}, in the order in which they came. 0 or an
 * error of buf.h. */
int waiting_list(const struct waiting *waiting, struct buf *out)
    __attribute__((warn_unused_result));

#endif
