/*
 * A message in the hands of rules, on its way from one side to the other: gathered first where a
 * rule needs it whole, changed, and let go when the rules allow it.
 *
 * Knows no socket: what comes of the message goes to the owner's callbacks. hand.c is its life,
 * hand_fire.c what the rules make of it.
 */
#ifndef MITM_PROXY_HAND_H
#define MITM_PROXY_HAND_H

#include "mitm_proxy/body_pass.h"
#include "mitm_proxy/exchange.h"
#include "mitm_proxy/proxy.h"
#include "mitm_proxy/tamper.h"
#include "mitm_proxy/valve.h"

enum hand_state {
    HAND_EMPTY,
    HAND_GATHERING, /* nothing of the message has gone on */
    HAND_PASSING,   /* its body goes on as it comes */
    HAND_LEAVING,   /* all of it that matters is here, and not all has gone on */
};

/* What becomes of the message when it leaves. */
enum hand_end {
    HAND_PASSES,
    HAND_CUT, /* it has no end: so must the connection that it goes to */
    HAND_DROPS,
    HAND_ANSWERS, /* exchange->answer is what the client gets */
    HAND_RESETS,  /* exchange->reset_side says which connection */
};

struct hand_owner {
    /* More of the message goes on. */
    void (*on_out)(void *arg, struct slice bytes);
    /* BYTES, which may be none, are the last; the hand is empty again, and the record is true. */
    void (*on_left)(void *arg, struct slice bytes, enum hand_end end);
    /* Bytes went on, or it left, from the loop and not from a call of the owner's. */
    void (*on_moved)(void *arg);
    /* What came of the content of a message that is not gathered: its bytes and digest so far, to
     * be asked for once. */
    void (*received)(void *arg, struct change_body *body);
    void (*on_closed)(void *arg); /* only if it was live */
};

/* What the session knows when the head is there. */
struct hand_head {
    const struct http_head *head; /* stays until the message is whole */
    struct slice bytes;           /* the head as it is to pass on, where no rule changes it */
    bool response;
    bool bodiless;
    enum message_framing framing;
};

struct hand {
    struct proxy *proxy;
    const struct hand_owner *owner;
    void *arg;
    struct sha256 *sha; /* the owner's, who needs it for no message that was gathered */
    enum hand_state state;
    struct exchange *exchange;
    struct rules *rules; /* under which the message came */
    struct hand_head head;
    struct message message;
    size_t gathered;         /* bytes of its body, which proxy->gathered counts */
    bool whole;              /* all of it was gathered … */
    struct change_body came; /* … and this was it; no digest: nothing tells it */
    struct tamper tamper;
    struct body_pass *pass; /* NULL: the body goes on as it is */
    struct valve valve;
    uint64_t since;   /* loop time of the whole head */
    uint64_t raw_max; /* bytes of body that are gathered at most, framing and all */
    enum hand_end end;
    bool begun;             /* something has gone on */
    struct waiter *waiters; /* for each step, or NULL: none waits */
    struct replay *copies;  /* of a request, for when it leaves, or is answered */
    size_t duplicates;      /* the step by which a response is written twice, or TAMPER_NONE */
};

/* HAND may be NULL. A message is in it … */
static inline bool hand_is_busy(const struct hand *hand)
{
    return hand && hand->state != HAND_EMPTY;
}

/* … and goes on as soon as it may, with nothing more to come. */
static inline bool hand_leaves(const struct hand *hand)
{
    return hand && hand->state == HAND_LEAVING;
}

/* HAND may be NULL. It gathers a message: to read that, and to take its digest, is its matter. */
static inline bool hand_gathers(const struct hand *hand)
{
    return hand && hand->state == HAND_GATHERING;
}

/* Zeroed memory. */
void hand_init(struct hand *hand, struct proxy *proxy, struct sha256 *sha,
    const struct hand_owner *owner, void *arg);

/* What the proxy's rules need of this message. */
enum rules_need hand_need(
    const struct proxy *proxy, const struct exchange *exchange, const struct hand_head *head);

/*
 * All of these return 0, or UV_ENOBUFS: the message is longer than what may be gathered, and
 * nothing of it has gone on; UV_EBUSY: so it is with all that is gathered now; or UV_ENOMEM. The
 * hand is empty then.
 */

/* Takes the head; NEED is what hand_need said, and not nothing. */
int hand_begin(struct hand *hand, struct exchange *exchange, const struct hand_head *head,
    enum rules_need need) __attribute__((warn_unused_result));
/* More of the body as it is framed; LAST: the message is whole. */
int hand_take(struct hand *hand, struct slice body, bool last) __attribute__((warn_unused_result));

/* Bytes that wait for being let go. */
size_t hand_queued(const struct hand *hand);

/* Nothing of the message goes on any more; the record says what was known. */
void hand_forget(struct hand *hand);

/* As hand_forget; on_closed follows if it is live. */
void hand_close(struct hand *hand);
bool hand_is_live(const struct hand *hand);

#endif
