/*
 * The two byte streams of one connection → HTTP exchanges, through lib/http_parser.
 *
 * Where every byte from the connection's beginning is there, the k-th response answers the k-th
 * request. A gap within a body of known length is passed over: where the next message begins is
 * known all the same. After any other gap, or where the recording began in the middle, counting
 * would be wrong: then reading goes on at the next segment that begins a message, and a response
 * belongs to the request whose first segment acknowledges exactly the bytes before that response.
 *
 * Behind a CONNECT and its 2xx another connection begins within the same one (RFC 9110 §9.3.6).
 * What begins as TLS is one exchange to its end: all bytes of one side, and all of the other.
 */
#ifndef CAPDIFF_EXCHANGES_H
#define CAPDIFF_EXCHANGES_H

#include "capturer/capdiff/head_cache.h"
#include "capturer/capdiff/message.h"
#include "capturer/capdiff/tcp_stream.h"
#include "lib/http_parser.h"

struct connection;
struct log_record;

struct exchange {
    const struct connection *connection;
    struct message request, response;
    uint32_t request_ack; /* of the request's first segment */
    char *call_id;        /* for exchange_call_id only */
    bool named;           /* it has been looked for */
    int status;           /* of the final response; 0 without one */
    bool head_request;    /* its response has no body */
    bool connect_request; /* 2xx makes another connection begin behind it, within this one */
    bool connected;       /* … which it did */
    bool upgrade;         /* asks for another protocol: 101 makes the connection a tunnel */
    bool tunnel; /* bytes up to the connection's end that are not read: behind a 101, or TLS */
    bool tls;    /* … which it is */
    uint8_t how, sure; /* about AFTER, where exchanges were paired one by one: enum pair_how, enum
                          pair_sureness; PAIR_NONE: as their connections were */
    bool repeated;     /* nobody asked for it, and its request is one that was sent before */
    bool twice;        /* its response was sent once more behind it */
    bool same_request; /* as AFTER has it, to the byte */
    bool settled;      /* it was counted, and is to be forgotten (exchange_settle) */
    bool had_others;   /* … and was seen in other views as well */
    bool listed;       /* it stays, whatever becomes of it: people want to see it */
    uint64_t order;    /* among all of its recording, by when their requests' heads were whole, or
                          they were over without one; 0: not so far */
    uint64_t number;   /* among those of its leg (numbering.h); 0: none */
    struct exchange *before, *after; /* the same exchange in the views next to this one, towards
                                        the client and the server; NULL where it was not seen */
    struct log_record *record;       /* what the exchange log says about it, or NULL */
};

enum {
    SIDE_CLIENT, /* requests */
    SIDE_SERVER, /* responses */
};

struct http_side {
    struct http_parser *parser;
    struct message_writer writer;
    struct exchange *current; /* the exchange of the message being read */
    unsigned head_guess;      /* head_cache.h's */
    bool seeking;             /* bytes go until a segment begins a message */
    bool opaque;              /* no HTTP any more: a tunnel, or what the parser refused */
    bool undecided;           /* the request is whole; the response says what comes after it */
    bool closed;              /* its end has come */
    bool closing;             /* the last head said that no message follows */
    bool counting;            /* in a body whose length is known: its bytes are counted … */
    uint64_t left;            /* … and so many are to come */
    uint64_t skipped;         /* bytes that went while seeking */
    struct buf waiting;       /* bytes that cannot be read before the other side goes on */
    size_t waiting_at;        /* where in there they begin */
    struct tcp_run waiting_from;
};

/* What all connections of a recording have in common. */
struct exchanges_shared {
    const char *path; /* of the capture; borrowed, or NULL */
    struct message_pool messages;
    struct head_cache *heads;
    struct http_parser *spare[2];   /* by side: one that stands before a message, or NULL */
    struct message_writer *reading; /* what the parser at work fills */
    uint64_t ordered;               /* exchanges that have their order */
};

void exchanges_shared_init(struct exchanges_shared *shared, size_t keep);
void exchanges_shared_deinit(struct exchanges_shared *shared);

struct exchanges {
    const struct connection *connection;
    struct exchanges_shared *shared; /* borrowed */
    struct exchange **items;         /* in the order of their first bytes */
    size_t count, room;
    size_t answered; /* the exchanges before this one have their response, or never will */
    size_t decided;  /* those before this one have found their others, or have none (align.h) */
    bool begins;     /* the next request is a connection's first, or the first behind a CONNECT */
    bool connected;  /* … which there was */
    bool tls;        /* one of them is TLS */
    bool unsure;     /* bytes are missing: responses are matched by acknowledgement */
    struct http_side sides[2];
};

/* LATE: the recording does not have the connection's beginning. */
void exchanges_init(struct exchanges *http, const struct connection *connection,
    struct exchanges_shared *shared, bool late);

/* The recording has the beginning after all; to be said before the first byte. */
void exchanges_not_late(struct exchanges *http);
void exchanges_deinit(struct exchanges *http);

/* NEAR and FAR are the same, in two views; and no others any more. */
void exchange_join(struct exchange *near, struct exchange *far);

/* What the view towards the server, or the client, has is another one. */
void exchange_part_after(struct exchange *exchange);
void exchange_part_before(struct exchange *exchange);

/* Marks it as one that exchanges_forget frees. */
void exchange_settle(struct exchange *exchange);

/* It stays one; until then it may be no more than an empty line, and is nobody's counterpart. */
bool exchange_is_certain(const struct exchange *exchange);

/* Both of its messages are. */
bool exchange_is_whole(const struct exchange *exchange);

/* From somewhere on nothing of it was read, up to its connection's end. */
bool exchange_is_unread(const struct exchange *exchange);

/* Which side sends a segment that begins like this: SIDE_CLIENT, SIDE_SERVER, or -1: unknown. */
int exchanges_recognise(const struct tcp_run *run);

/* WHICH is the side that sent: SIDE_CLIENT or SIDE_SERVER. */
void exchanges_data(struct exchanges *http, int which, const struct tcp_run *run);
void exchanges_gap(struct exchanges *http, int which, uint64_t len);
void exchanges_fin(struct exchanges *http, int which);

/* No message is under way, and nothing waits. */
bool exchanges_are_idle(const struct exchanges *http);

/* Frees the exchanges that are marked as settled; those in other views know of them no longer. */
void exchanges_forget(struct exchanges *http);

/* No more bytes come: what is not whole stays partial, and the parsers' memory goes. */
void exchanges_finish(struct exchanges *http);

#endif
