/*
 * The bytes of one message for whoever shows them: the only way by which reports get at them, so
 * that it is nobody's concern where they are kept.
 *
 * Only how the message begins may be there: `missing` says how much is not.
 */
#ifndef CAPDIFF_MESSAGE_VIEW_H
#define CAPDIFF_MESSAGE_VIEW_H

#include "capturer/capdiff/message.h"

/* How a body's end is told (RFC 9112 §6); a request without any word of it has no body. */
enum message_framing {
    MESSAGE_CHUNKED,
    MESSAGE_LENGTH,
    MESSAGE_CLOSE,
};
#define MESSAGE_FRAMINGS 3

struct message_view {
    struct slice head;    /* up to the body, interim responses included */
    struct slice body;    /* as it was on the wire, framing included */
    struct slice content; /* without chunk framing */
    uint64_t missing;     /* bytes behind those above */
    struct buf decoded;   /* holds the content where it is not the body itself */
};

/* Valid until message_view_close, as long as MESSAGE lives. */
void message_view_open(struct message_view *view, const struct message *message, bool response);
void message_view_close(struct message_view *view);

/* Where the content's byte at OFFSET stands in the message; as far as it goes, where it is beyond.
 */
uint64_t message_view_offset(const struct message_view *view, uint64_t offset);

/* As the last head's fields tell. */
enum message_framing message_view_framing(const struct message_view *view, bool response);

/* "chunked", "Content-Length", "the connection's end". */
const char *message_framing_text(enum message_framing framing);

/* The value of the first field of that name in the last head of HEAD; absent: none. */
struct slice message_view_field(const struct message_view *view, const char *name);

#endif
