/*
 * Small writes of one turn of a loop: kept until its end, and sent one behind the other.
 *
 * It is cheaper so: what is sent has its code in the processor's caches, and what has to be on
 * record before is written once for all of them. Larger ones, and those of a stream that has a
 * queue, go at once, behind what is kept. One thread's, as its loop is.
 */
#ifndef LIB_OUTBOX_H
#define LIB_OUTBOX_H

#include <uv.h>

#include "lib/buf.h"

#define OUTBOX_WRITES_MAX 64            /* kept at once: then they are sent */
#define OUTBOX_SMALL_MAX ((size_t)4096) /* bytes of a write that may be kept */
#define OUTBOX_KEEP_MAX (256UL * 1024)  /* bytes kept at once, at most */

struct stream;

struct outbox_write {
    struct stream *stream;
    size_t at, len;
};

struct outbox {
    struct buf bytes;
    struct outbox_write writes[OUTBOX_WRITES_MAX];
    size_t count;
    struct stream *failed; /* a list: their owners are to be told */
    void (*before)(void *arg);
    void *arg;
};

/* BEFORE is called whenever bytes, or an end, are about to go: of this outbox or behind it. It
 * sends nothing. */
void outbox_init(struct outbox *outbox, void (*before)(void *arg), void *arg);
void outbox_deinit(struct outbox *outbox);

/* Keeps a write for later. False: it is too large, or there is no memory. */
bool outbox_keep(
    struct outbox *outbox, struct stream *stream, const uv_buf_t *runs, unsigned int count);

/* Sends what is kept. No owner is called. */
void outbox_send(struct outbox *outbox);

/* The same at the end of a turn, where owners may hear of what failed (on_lost of stream.h). */
void outbox_end_turn(struct outbox *outbox);

/* The stream's owner wants to hear no more of it. */
void outbox_forget(struct outbox *outbox, const struct stream *stream);

#endif
