/*
 * Messages that are more than is kept of them, read once more from their captures.
 */
#ifndef CAPDIFF_MESSAGE_AGAIN_H
#define CAPDIFF_MESSAGE_AGAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "capturer/capdiff/message.h"

#define MESSAGE_AGAIN_SHOWN ((size_t)256)            /* bytes */
#define MESSAGE_AGAIN_MAX ((size_t)16 * 1024 * 1024) /* of a content */

/* The surroundings of the first byte that differs. */
struct message_difference {
    bool framing;    /* their contents are equal, and the framing around these is not */
    uint64_t offset; /* of that byte in both contents, or, of the framing, in both bodies */
    size_t at;       /* and in what is shown: */
    char before[MESSAGE_AGAIN_SHOWN], after[MESSAGE_AGAIN_SHOWN];
    size_t len_before, len_after;
};

/*
 * Finds the first byte by which two messages differ behind their heads. False: there is none, or
 * one of them cannot be read again: it came by standard input, the file has changed, or some of it
 * was not recorded.
 */
bool message_again_differ(const struct message *before, const struct message *after, bool response,
    struct message_difference *difference);

/* All bytes behind their heads were read again, and are equal. */
bool message_again_same(const struct message *before, const struct message *after, bool response);

/*
 * Appends all of a message's content, without chunk framing, to OUT. False: that is more than fits,
 * or cannot be read again, as above; OUT has some of it then.
 */
bool message_again_content(const struct message *message, bool response, struct buf *out);

#endif
