/*
 * Small reads of one turn of a loop: kept until all of its sockets have been read, and then
 * delivered one behind the other.
 *
 * It is cheaper so: the kernel's code, and then ours, stays in the processor's caches. A large read
 * is delivered at once, behind what is kept. What a stream has been read and may not be told,
 * because its owner has stopped reading meanwhile, waits until it starts again. One thread's, as
 * its loop is.
 */
#ifndef LIB_INBOX_H
#define LIB_INBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define INBOX_READS_MAX 64              /* kept at once: then they are delivered */
#define INBOX_SMALL_MAX ((ssize_t)4096) /* bytes of a read that may be kept */

struct stream;

struct inbox_read {
    struct stream *stream; /* NULL: it has been closed since */
    size_t at;
    ssize_t got; /* bytes, or UV_EOF, or another UV_E* */
};

struct inbox {
    char *bytes;
    size_t used;
    struct inbox_read reads[INBOX_READS_MAX];
    size_t count;
    struct stream *resumed; /* a list: what they were not told waits no longer */
};

int inbox_init(struct inbox *inbox); /* 0 or UV_ENOMEM */
void inbox_deinit(struct inbox *inbox);

/* Where the next read goes: STREAM_READ_MAX bytes. */
char *inbox_room(const struct inbox *inbox);

/* What was read there. Owners may be called. */
void inbox_take(struct inbox *inbox, struct stream *stream, ssize_t got);

/* Tells the owners of all that is kept. Not from within one of their events. */
void inbox_deliver(struct inbox *inbox);

/* The owner reads again, and there is something that it was not told. */
void inbox_resume(struct inbox *inbox, struct stream *stream);

/* The stream's owner wants to hear no more of it. */
void inbox_forget(struct inbox *inbox, struct stream *stream);

#endif
