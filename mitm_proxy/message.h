/*
 * A message in hand: its head, and its body where it was gathered, to be changed by splices. No
 * I/O.
 *
 * Every byte that an edit does not name stays as it is. What frames the body (RFC 9112 §6) follows
 * the content: Content-Length gets the new number, and in a chunked body the chunks before and
 * behind the changed bytes stay, with their extensions and the trailers.
 */
#ifndef MITM_PROXY_MESSAGE_H
#define MITM_PROXY_MESSAGE_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/slice.h"

enum message_framing {
    MESSAGE_LENGTH, /* by Content-Length, or there is no body */
    MESSAGE_CHUNKED,
    MESSAGE_CLOSE, /* up to the end of the connection */
};

/*
 * Hears of what changes in the head: OLD, the values of all lines with that name, is absent where
 * there was none, NEW_VALUE where they go. The slices are valid during the call. NULL: not
 * interested.
 */
struct message_watch {
    void (*on_field)(void *arg, struct slice name, struct slice old, struct slice new_value);
    void (*on_framing)(void *arg, enum message_framing old, enum message_framing now);
    void *arg;
};

struct message {
    struct buf head;    /* from the start line through the empty line */
    struct buf body;    /* as it is framed */
    struct buf content; /* of a chunked body, where it was asked for */
    enum message_framing framing;
};

void message_init(struct message *message, size_t body_max);
void message_deinit(struct message *message);

/* All of these return 0, UV_ENOBUFS past the maximum, or UV_ENOMEM: the message is of no use then.
 */

int message_begin(struct message *message, struct slice head, enum message_framing framing)
    __attribute__((warn_unused_result));
/* More of the body, as it is framed. */
int message_append(struct message *message, struct slice body) __attribute__((warn_unused_result));

/* The content of the body: valid until the message is changed. */
int message_content(struct message *message, struct slice *content)
    __attribute__((warn_unused_result));
/* CONTENT is not part of the message's own buffers. */
int message_set_content(struct message *message, struct slice content,
    const struct message_watch *watch) __attribute__((warn_unused_result));
/* The same, and the memory of CONTENT becomes the message's where that saves a copy:
 * what is left in it means nothing then. */
int message_take_content(struct message *message, struct buf *content,
    const struct message_watch *watch) __attribute__((warn_unused_result));

/* The first line with that name gets the value and further ones go; it is added where there is
 * none. What is told is the name as it came. */
int message_set_field(struct message *message, struct slice name, struct slice value,
    const struct message_watch *watch) __attribute__((warn_unused_result));
/* All lines with that name. */
int message_remove_field(struct message *message, struct slice name,
    const struct message_watch *watch) __attribute__((warn_unused_result));

/* The head says chunked: to frame the body so is the caller's matter. */
int message_set_chunked(struct message *message, const struct message_watch *watch)
    __attribute__((warn_unused_result));
/* A chunked body, or one that ends with the connection, gets a Content-Length; trailers go. */
int message_to_length(struct message *message, const struct message_watch *watch)
    __attribute__((warn_unused_result));

const char *message_framing_name(enum message_framing framing);

#endif
