/*
 * What the files of the hand share: hand.c (its life) and hand_fire.c (what rules make of it).
 */
#ifndef MITM_PROXY_HAND_PRIVATE_H
#define MITM_PROXY_HAND_PRIVATE_H

#include "mitm_proxy/hand.h"

/*
 * Asks the rules, and does what those that fire say; WHOLE: the body is here. Then `end` says what
 * becomes of the message, the valve when. 0 or UV_ENOMEM.
 */
int hand_fire(struct hand *hand, bool whole) __attribute__((warn_unused_result));

/* The message is whole, and rules are not asked: its record says what it was. */
void hand_read(struct hand *hand);

/* Copies a request, as it goes on, for its duplicates and replays. 0 or UV_ENOMEM. */
int hand_copy(struct hand *hand, struct slice request) __attribute__((warn_unused_result));

#endif
