/*
 * One HTTP message as one view saw it: its exact bytes, from the first of its head (interim
 * responses included) to the last of its body, chunk framing and trailers included.
 *
 * The first MESSAGE_KEPT_MAX bytes are kept; of all of them there is a SHA-256, and one of the
 * content without its chunk framing: made when it is asked for, where everything is kept, and else
 * as the bytes come.
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

struct connection;

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
    const struct connection *connection; /* and where in its capture it begins, or before: */
    uint64_t place;
    uint32_t seq;                    /* of its first byte */
    uint32_t ack;                    /* of its first segment */
    struct message_digests *digests; /* NULL: what is kept is enough to make them */
    const char *problem; /* the parser's word where these bytes are no HTTP; else NULL */
    bool plain;          /* the content is what follows the head, as it is */
    bool gap;            /* the recording lacks bytes of it */
    bool finished;       /* its sender closed after it: nothing more was to come */
    bool ended;          /* nothing more of it will be read; before that it is under way */
};

struct message_digests;

/* What the messages of a recording share. */
struct message_pool {
    size_t held, max; /* bytes that are kept, and that may be */
    struct buf spare; /* memory that the next message is gathered in */
};

void message_pool_init(struct message_pool *pool, size_t max);
void message_pool_deinit(struct message_pool *pool);

void message_init(struct message *message);
void message_deinit(struct message *message);

/* The same for one whose writer had POOL. */
void message_drop(struct message *message, struct message_pool *pool);

/* Lower-case digits into OUT, for a message that has ended; "" of the content of none. Return OUT.
 */
const char *message_raw_sha256(const struct message *message, char out[SHA256_HEX_SIZE]);
const char *message_content_sha256(const struct message *message, char out[SHA256_HEX_SIZE]);

/* Fills one message after the other. */
struct message_writer {
    struct message *message;      /* the one being filled; NULL between messages */
    struct message_pool *pool;    /* borrowed */
    struct sha256 *raw, *content; /* made when they are needed */
    bool hashing;                 /* the digests are made as the bytes come */
    bool told;                    /* so is that of the content */
};

void message_writer_init(struct message_writer *writer, struct message_pool *pool);
void message_writer_deinit(struct message_writer *writer);

/* The next bytes are MESSAGE's; it must have been initialised, and stay until the end. */
void message_begin(struct message_writer *writer, struct message *message);

/* Bytes as they were on the wire. */
void message_append(struct message_writer *writer, const void *data, size_t len, uint64_t time_ns);

/*
 * All of a message whose head has HEAD bytes and is followed by the content as it is: the message
 * is whole, and over. False: it cannot be kept at once, and nothing was done.
 */
bool message_all(
    struct message_writer *writer, const void *data, size_t head, size_t len, uint64_t time_ns);

/* LEN bytes that were on the wire, and not recorded: the message has a gap, and goes on behind it.
 */
void message_gap(struct message_writer *writer, uint64_t len);

/* The head is over, and what follows it is the content as it is: message_content is not needed. */
void message_plain(struct message_writer *writer);

/* Bytes of the content, which are among the appended ones. */
void message_content(struct message_writer *writer, const void *data, size_t len);

/* The message is over. */
void message_end(struct message_writer *writer, enum message_state state);

/* All bytes are there and equal; both have ended. Digests decide about what was not kept. */
bool message_equal(const struct message *a, const struct message *b);

/* True when the kept bytes of one are how the other begins. */
bool message_is_prefix(const struct message *shorter, const struct message *longer);

#endif
