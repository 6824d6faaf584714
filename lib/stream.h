/*
 * One TCP connection on a loop: reads with a pause, writes with a queue, FIN and RST apart.
 *
 * Knows no HTTP, and of TLS only that something may stand between the wire's bytes and the owner's
 * (struct stream_layer; see tls_stream.h). The struct is embedded by its owner and must stay in
 * place until on_closed has run; nothing else is called after that. Errors are negative UV_E*
 * values.
 */
#ifndef LIB_STREAM_H
#define LIB_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "lib/inbox.h"
#include "lib/outbox.h"

#define STREAM_QUEUE_HIGH (128UL * 1024) /* bytes queued: the owner should pause the other side */
#define STREAM_READ_MAX (2 * 65000UL)    /* bytes of one read; two packets of a payload capture */

struct stream;

/* A NULL callback means not interested. DATA is valid only during the call. */
struct stream_events {
    void (*on_connect)(struct stream *stream, int status);
    void (*on_data)(struct stream *stream, const char *data, size_t len);
    void (*on_eof)(struct stream *stream);               /* the peer's FIN; writing still works */
    void (*on_error)(struct stream *stream, int status); /* reading or writing failed for good */
    void (*on_drain)(struct stream *stream);             /* the write queue is empty again */
    void (*on_closed)(struct stream *stream);            /* the last call: memory may go */
    void (*on_secured)(struct stream *stream);           /* the layer's handshake is over */
    void (*on_lost)(struct stream *stream, int status);  /* what an outbox kept cannot be sent */
};

/*
 * Makes the wire's bytes of the owner's, and the other way round. What returns an int returns 0 or
 * a negative UV_E*, which is final for the stream. A layer keeps what it has for an owner that does
 * not read, and delivers none of it from within resume.
 */
struct stream_layer {
    int (*take)(void *state, const char *data, size_t len); /* from the wire */
    int (*take_end)(void *state); /* the peer's FIN; UV_EAGAIN: bytes before it are still kept */
    void (*resume)(void *state);  /* the owner reads again */
    int (*write)(void *state, const uv_buf_t *runs, unsigned int count);
    int (*end)(void *state); /* our FIN is about to go */
    void (*free)(void *state);
};

struct stream {
    uv_tcp_t tcp;
    int fd; /* its own, where that is known already; or -1 */
    const struct stream_events *events;
    void *data; /* the owner's */
    bool open;  /* between init and close */
    bool live;  /* between init and on_closed: the memory must stay */
    bool reading;
    bool connecting;
    bool begun;   /* something was written */
    bool hurries; /* TCP_NODELAY is set, or inherited */
    bool watched; /* the kernel's keep-alive is on */
    bool shut;    /* a FIN was sent or is queued */
    bool cut;     /* the peer's FIN came before its layer's end: the last message may be cut */
    bool eof;     /* on_eof has been called */
    bool broken;  /* the peer's RST was told of: no read will be */
    const struct stream_layer *layer; /* NULL: none */
    void *layer_state;
    struct outbox *outbox; /* keeps small writes until the turn ends; NULL: all go at once */
    unsigned int waiting;  /* it has so many of them … */
    bool ends_next;        /* … and behind them the FIN */
    int lost;              /* they could not be sent: no write is taken any more */
    struct stream *next_failed;
    struct inbox *inbox; /* keeps small reads until the turn ends; NULL: each is told at once */
    ssize_t got;         /* by the read that libuv is about to tell of */
    struct buf unread;   /* what the owner is told when it reads again … */
    int unread_end;      /* … and behind it UV_EOF or another UV_E* */
    bool resumes;        /* it does */
    struct stream *next_resumed;
};

/* Makes the handle; no descriptor yet. Only after success is stream_close() owed. */
int stream_init(
    struct stream *stream, uv_loop_t *loop, const struct stream_events *events, void *data);

/* Takes a pending connection from a handle of listener.h, which has set what it wants of it. */
int stream_accept(struct stream *stream, uv_stream_t *listener);

/* Begins to connect; on_connect tells the outcome. Writes before it are queued. */
int stream_connect(struct stream *stream, const struct sockaddr *address);

/* Both are idempotent. Between a stop and the next start no on_data comes. */
int stream_read_start(struct stream *stream);
void stream_read_stop(struct stream *stream);

/*
 * Reads what has come by now, as the loop would: events come from within. True if there may be
 * more, which is so from 4 KiB on. Only while reading, and without an inbox; from within an event,
 * too.
 */
bool stream_read_now(struct stream *stream);

/*
 * Writes the runs in order: at once as far as the socket takes them, the rest copied and queued.
 * An error here is final for the stream; failures of the queued rest reach on_error. With an outbox
 * a small write is kept until the end of the loop's turn; on_lost tells of its failure.
 */
int stream_write(struct stream *stream, const uv_buf_t *runs, unsigned int count)
    __attribute__((warn_unused_result));

/*
 * Puts a layer in, or none: between two events of the stream, and before anything is written. It
 * is freed with the stream. For the layer itself are the four functions behind it.
 */
void stream_set_layer(struct stream *stream, const struct stream_layer *layer, void *state);
int stream_write_wire(struct stream *stream, const uv_buf_t *runs, unsigned int count)
    __attribute__((warn_unused_result));
int stream_write_now(struct stream *stream, const uv_buf_t *runs, unsigned int count)
    __attribute__((warn_unused_result)); /* these two are for the outbox itself */
int stream_end_now(struct stream *stream) __attribute__((warn_unused_result));
void stream_send_kept(struct stream *stream); /* and what is to be on record before */
void stream_deliver(struct stream *stream, const char *data, size_t len);
void stream_deliver_eof(struct stream *stream);
void stream_fail(struct stream *stream, int status);

/* For the inbox: the owner is told now. GOT is a length, UV_EOF, or another UV_E*. */
void stream_take(struct stream *stream, const char *data, ssize_t got);
void stream_take_unread(struct stream *stream);

/* Bytes the kernel did not take. */
static inline size_t stream_queued(const struct stream *stream)
{
    return stream->tcp.write_queue_size;
}

/* The socket, or -1. */
int stream_find_socket(struct stream *stream);
static inline int stream_socket(struct stream *stream)
{
    return stream->fd >= 0 ? stream->fd : stream_find_socket(stream);
}

/* Whether the kernel has all that was written, which what an outbox keeps is sent for. */
bool stream_drained(struct stream *stream);

/* The kernel asks a peer that is silent for so long whether it is still there. Idempotent. */
void stream_watch(struct stream *stream, unsigned int seconds);

/* Sends FIN after all that is queued. Idempotent. */
int stream_shutdown(struct stream *stream);
/* The same without the layer's end: what was cut on its way here goes on as that. */
int stream_shutdown_cut(struct stream *stream);

/* Closes, dropping what is queued; on_closed follows. Idempotent. */
void stream_close(struct stream *stream);

/* As stream_close, but the peer gets an RST. */
void stream_reset(struct stream *stream);

/* Our and the peer's address; 0 or UV_E*. */
int stream_local_address(const struct stream *stream, struct sockaddr_storage *address);
int stream_peer_address(const struct stream *stream, struct sockaddr_storage *address);

#endif
