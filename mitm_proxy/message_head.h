/*
 * The field lines of a message's head (RFC 9112 §5), found and replaced in its bytes. For heads
 * that http_parser has found good: no line is folded. Part of message.
 */
#ifndef MITM_PROXY_MESSAGE_HEAD_H
#define MITM_PROXY_MESSAGE_HEAD_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/slice.h"

/* Names are compared without their case. Errors are those of buf.h: the head is as it was then. */

/*
 * Appends the values of all lines with that name, joined by ", " (RFC 9110 §5.3). *SHOWN: the name
 * as the first of them has it, absent where there is none; valid until the head is changed.
 */
int message_head_values(const struct buf *head, struct slice name, struct slice *shown,
    struct buf *values) __attribute__((warn_unused_result));

/* The first line with that name gets the value and further ones go; added where there is none. */
int message_head_set(struct buf *head, struct slice name, struct slice value)
    __attribute__((warn_unused_result));

/* All lines with that name. */
void message_head_remove(struct buf *head, struct slice name);

/* A line NAME takes the place of the first line OLD, and all of those go; else it is added. */
int message_head_swap(struct buf *head, struct slice old, struct slice name, struct slice value)
    __attribute__((warn_unused_result));

#endif
