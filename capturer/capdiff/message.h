/*
 * One HTTP message as one view saw it: its exact bytes, from the first of its head (interim
 * responses included) to the last of its body, chunk framing and trailers included.
 *
 * The first MESSAGE_KEPT_MAX bytes are kept; of all of them there is a SHA-256, and one of the
 * content without its chunk framing.
 */
#ifndef CAPDIFF_MESSAGE_H
#define CAPDIFF_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/sha256.h"
#include "lib/slice.h"

#define MESSAGE_KEPT_MAX ((size_t)1024 * 1024)

enum message_state {
    MESSAGE_NONE,    /* no byte of it was recorded */
    MESSAGE_PARTIAL, /* it begins, and its end was not recorded, or is none by HTTP's rules */
    MESSAGE_WHOLE,
};

struct message {
    enum message_state state;
    struct buf raw;    /* the first bytes of the message */
    uint64_t len;      /* all of them, those that were not recorded included */
    uint64_t head_len; /* up to the body; 0 until the head is whole */
    uint64_t content_len;
    uint64_t first_ns, last_ns;
    uint32_t seq; /* of its first byte */
    uint32_t ack; /* of its first segment */
    char raw_sha256[SHA256_HEX_SIZE];
    char content_sha256[SHA256_HEX_SIZE];
    const char *problem; /* the parser's word where these bytes are no HTTP; else NULL */
    bool gap;            /* the recording lacks bytes of it */
    bool finished;       /* its sender closed after it: nothing more was to come */
};

void message_init(struct message *message);
void message_deinit(struct message *message);

/*
 * Fills one message after the other. Its memory is made at the first message.
 */
struct message_writer {
    struct message *message; /* the one being filled; NULL between messages */
    size_t *keep_left;       /* how many more bytes the whole recording may keep */
    struct sha256 *raw, *content;
    struct buf body; /* the content, while it is no longer than MESSAGE_BODY_MAX */
    bool body_cut;
};

#define MESSAGE_BODY_MAX ((size_t)64 * 1024)

void message_writer_init(struct message_writer *writer, size_t *keep_left);
void message_writer_deinit(struct message_writer *writer);

/* The next bytes are MESSAGE's; it must have been initialised, and stay until the end. */
void message_begin(struct message_writer *writer, struct message *message);

/* Bytes as they were on the wire. */
void message_append(struct message_writer *writer, const void *data, size_t len, uint64_t time_ns);

/* LEN bytes that were on the wire, and not recorded: the message has a gap, and goes on behind it.
 */
void message_gap(struct message_writer *writer, uint64_t len);

/* Bytes of the content, which are among the appended ones. */
void message_content(struct message_writer *writer, const void *data, size_t len);

/* The content, if it is short enough, between message_begin and the next one. */
struct slice message_writer_body(const struct message_writer *writer);

/* The message is over. */
void message_end(struct message_writer *writer, enum message_state state);

/* All bytes are there and equal. Digests decide about what was not kept. */
bool message_equal(const struct message *a, const struct message *b);

/* True when the kept bytes of one are how the other begins. */
bool message_is_prefix(const struct message *shorter, const struct message *longer);

#endif
