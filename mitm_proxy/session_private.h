/*
 * What the files of the session share: session.c (life), session_accept.c (its beginning),
 * session_clock.c (how long it waits),
 * session_client.c (requests on their way up), session_dial.c (the upstream connection),
 * session_upstream.c (responses on their way down),
 * session_answer.c (what the proxy says itself), session_rules.c (messages in the hands of rules),
 * session_tunnel.c (bytes that pass unread).
 */
#ifndef MITM_PROXY_SESSION_PRIVATE_H
#define MITM_PROXY_SESSION_PRIVATE_H

#include "lib/dial.h"
#include "lib/http_parser.h"
#include "lib/stream.h"
#include "mitm_proxy/hand.h"
#include "mitm_proxy/relay.h"
#include "mitm_proxy/session.h"

#define SESSION_PIPELINE_MAX 64    /* requests passed on and not answered; more wait unread */
#define SESSION_LINGER_MS 2000     /* after our own answer, for the client to take it */
#define SESSION_DRAIN_MS 200       /* for a request that is on its way when the drain begins */
#define SESSION_HELD_MAX (1 << 20) /* bytes read that wait for a 101 or for earlier answers */

enum session_state {
    SESSION_OPENING, /* what the client speaks is not known yet, or TLS is being agreed on */
    SESSION_OPEN,    /* HTTP both ways; the upstream is dialled with the first request */
    SESSION_TUNNEL,  /* behind a 101, or what is not taken apart: bytes both ways, unread */
    SESSION_ENDING,  /* the last answer is being written; what the client still sends is dropped */
    SESSION_CLOSED,  /* the handles are closing */
};

enum upstream_state {
    UPSTREAM_NONE,    /* not dialled yet */
    UPSTREAM_DIALING, /* bytes for it are kept in `pending` */
    UPSTREAM_OPEN,
    UPSTREAM_CLOSING, /* closed, to be dialled again; bytes are kept in `pending` */
    UPSTREAM_GONE,    /* closed, or could not be reached */
};

enum upstream_end {
    UPSTREAM_END_NONE,
    UPSTREAM_END_FIN,
    UPSTREAM_END_ERROR,
};

struct session {
    struct proxy *proxy;
    struct session *next, **link;
    enum session_state state;
    enum upstream_state upstream_state;
    struct connection connection;
    struct stream client, upstream;
    const struct destination *to;
    struct destination *own_to; /* NULL: it is the proxy's */
    struct opening *opening;    /* NULL: that is over, or has not begun */
    bool accepting;             /* the TLS handshake with the client */
    bool bound;                 /* to one destination: by its connection, or by CONNECT */
    bool turn_due;              /* the last request waits: those before go to another origin */
    struct dial *dial;          /* while dialling */
    uv_timer_t timer;
    bool timer_live;
    uint64_t timer_due;      /* loop time at which the timer fires, 0: stopped */
    uint64_t client_active;  /* loop time of the client's last byte */
    uint64_t head_since;     /* loop time of the first byte of a head that is not whole */
    uint64_t waiting_since;  /* loop time since which the first exchange waits for its response */
    uint64_t draining_since; /* loop time since which the proxy drains, 0: it does not */
    uint64_t taken;          /* bytes that the client's socket has taken … */
    uint64_t taking_since;   /* … and the loop time since which it took no more */
    struct http_parser *requests, *responses;
    struct sha256 *request_sha, *response_sha;
    struct buf peek;               /* the JSON body of the request being received */
    struct buf pending;            /* for the upstream, until it is connected */
    struct buf held;               /* from the client, read and not looked at yet */
    struct exchange *first, *last; /* in flight, in the order of the requests */
    struct exchange *receiving;    /* the last one, while its request is not whole */
    size_t in_flight;
    struct hand *up, *down; /* for messages that rules are about; NULL before the first */
    struct buf held_down;   /* from the upstream, read and not looked at yet */
    uint64_t encouraged;    /* id of the exchange that got a 100 of ours */
    bool response_closes;   /* the first exchange's response, which leaves, ends the connection */
    bool client_eof;        /* the client's FIN was read … */
    bool request_end;       /* … and acted on, or no further request will be taken */
    bool upstream_eof;
    enum upstream_end end_due; /* of the upstream, to be acted on when the response has left */
    bool upstream_shut;    /* our FIN towards upstream was sent, or is due once it is connected */
    bool response_started; /* bytes of the first exchange's final response were passed on */
    bool response_last;    /* a response said that none follows it: we say nothing either */
    bool overloaded;       /* one connection too many: answers 503 */
};

extern const struct stream_events session_client_events;
extern const struct stream_events session_upstream_events;

/* session.c */

/* Frees all of it; no handle is live any more. */
void session_free(struct session *session);
/* on_closed of both streams. */
void session_on_closed(struct stream *stream);
/* on_closed of both hands. */
void session_on_hand_closed(void *session);
/* Moves on to a later state; an earlier one is ignored. */
void session_set_state(struct session *session, enum session_state state);

/* After every event: answers what we owe, goes on with what was held, sets clocks and reading. */
void session_settle(struct session *session);
/* Closes both sides, the client with an RST if RESET. Exchanges in flight end with WORD. */
void session_close(struct session *session, bool reset, const char *word);
/* The upstream side only. */
void session_close_upstream(struct session *session, bool reset);
/* Takes an exchange out, shows it to the observers and frees it. */
void session_finish(struct session *session, struct exchange *exchange);
void session_finish_first(struct session *session);
/* Takes all of them out; those without an error get WORD. */
void session_drop_exchanges(struct session *session, const char *word);
/* Puts an exchange at the end. NULL when there is no memory: the session was closed. */
struct exchange *session_add_exchange(struct session *session);
/* Writes to the client, counted and observed. False when the session had to be closed. */
bool session_send_client(struct session *session, const uv_buf_t *runs, unsigned int count);
/* FIN to the client, after all that is queued. */
void session_end_client(struct session *session);
/* Nothing more is passed on: FIN to the client, and the upstream side is closed. */
void session_end(struct session *session, bool reset_upstream);

/* session_clock.c */

/* Sets the timer to the end of what the session waits for now. */
void session_set_clock(struct session *session);

/* session_client.c */

/* Looks at what was held back, as far as that is possible now. */
void session_take_held(struct session *session);
/* Acts on the client's FIN once all that came before it has been looked at. */
void session_take_eof(struct session *session);
/* True while bytes of the client must wait: for a 101, or for earlier answers. */
bool session_must_hold(const struct session *session);

/* Refuses the last request, and takes no further one. */
void session_refuse_request(struct session *session, struct exchange *exchange, int status,
    const char *word, const char *reason);

/* Takes bytes of requests. */
void session_take_requests(struct session *session, const char *data, size_t len);
/* Goes on with the last request, whose turn was due, if it has come. */
void session_take_turn(struct session *session);

/* session_forward.c */

/* Finds out where the request goes, and whether it may; else it is refused, or waits its turn. */
void session_route(
    struct session *session, struct exchange *exchange, const struct http_head *head);
/* The head as the origin gets it. 0 or an error of buf.h. */
int session_routed_head(struct session *session, const struct http_head *head, struct buf *out)
    __attribute__((warn_unused_result));
/* Answers the first exchange, a CONNECT, once it is whole and its upstream is there. */
void session_connected(struct session *session);
/* Copies the destination. False when there is no memory. */
bool session_go_to(struct session *session, const struct destination *to);

/* session_opening.c */

/* The connection was going somewhere else: so it does. */
void session_divert(struct session *session);

/* The client's first bytes; SEEN: the observers know them. */
void session_opening_data(struct session *session, const char *data, size_t len, bool seen);
void session_opening_eof(struct session *session);
/* Nothing follows what came so far: the observers get to know that before they do the end. */
void session_opening_show(struct session *session);
/* False, too, for a client whose TLS was refused: what it says then is no plaintext, either. */
bool session_opening_over(const struct session *session);
/* The upstream speaks first: what, is not for us to know. */
void session_opening_spoken(struct session *session, struct slice bytes);
/* The upstream ends, and the client has said nothing yet that could be read. */
void session_opening_ended(struct session *session);
/* The upstream is there, which TLS with the client waited for; or it cannot be reached. */
void session_opening_upstream(struct session *session);
void session_opening_failed(struct session *session, const char *word, const char *reason);
/* The client's stream tells that TLS is there, or that it failed. */
void session_client_secured(struct session *session);
void session_refuse_tls(struct session *session);
void session_free_opening(struct session *session);

/* session_tunnel.c */

/* The request may ask for another protocol: what for is kept. The session may have been closed. */
void session_ask_tunnel(
    struct session *session, struct exchange *exchange, const struct http_head *head);
/* A response is refused that its client would read in another way: a switch that was not asked for
 * or comes before the request is whole (RFC 9110 §7.8), or what HTTP/1.0 does not have (RFC 9110
 * §15.2, RFC 9112 §6.1). False: it passes. */
bool session_refuse_head(struct session *session, struct relay *relay);
/* The first exchange's 101 has gone down, and that was all of HTTP. */
void session_switch(struct session *session);
/* A 101 leaves the hands of rules, as BYTES. Where the client does not get to see one, it stays
 * with HTTP, and has another upstream connection. */
void session_switch_or_stay(struct session *session, struct slice bytes, bool passes);
/* All of the connection passes unread, FIRST before the rest. */
void session_begin_tunnel(struct session *session, struct slice first);
/* Passes bytes on where there is a tunnel. */
void session_tunnel_up(struct session *session, struct slice bytes);
void session_tunnel_down(struct session *session, struct slice bytes);
/* The exchange is over: what is on record of its tunnel, if it came to one. */
void session_end_tunnel(const struct session *session, struct exchange *exchange);

/* session_dial.c */

/* Tells why there is no upstream: whoever waits for it. */
void session_fail_upstream(
    struct session *session, int status, const char *word, const char *reason);
/* Dials, where that has not been done, and TLS where the destination wants it. */
void session_reach_upstream(struct session *session);
/* The destination speaks TLS, and has to be NAME. False when there is no memory. */
bool session_wants_tls(struct session *session, const char *name);

/* The upstream's stream tells that TLS is there, or that it failed. */
void session_upstream_secured(struct session *session);
void session_fail_tls(struct session *session);
/* Closes the upstream connection; the next bytes for it open another one. */
void session_redial(struct session *session);
/* on_closed of the upstream. */
void session_upstream_closed(struct session *session);

/* Passes bytes on to the upstream, dialling it first where needed. */
void session_send_upstream(struct session *session, const uv_buf_t *runs, unsigned int count);
/* FIN to the upstream, after all that waits for it. */
void session_end_upstream(struct session *session);

/* session_upstream.c */

/* Looks at what was held back of the upstream, or at its end, as far as that is possible now. */
void session_take_held_down(struct session *session);
/* The first response is whole, and its digest noted. True when its request is not: the rest has no
 * reader any more. */
bool session_finish_response(struct session *session);
/* Where the last response of a connection has gone down, it ends both ways (RFC 9112 §9.6). */
void session_end_persistence(struct session *session);

/* session_rules.c */

/*
 * Takes the message whose head has come into the hand, where a rule may be about it; the bytes of
 * the head are the hand's then. It may have left again, or the session have been closed.
 */
bool session_hand_request(struct session *session, const struct hand_head *head);
bool session_hand_response(struct session *session);
/* The message that bytes are coming of is in the hand: so go they. */
static inline bool session_request_in_hand(const struct session *session)
{
    return hand_is_busy(session->up);
}

static inline bool session_response_in_hand(const struct session *session)
{
    return hand_is_busy(session->down);
}

void session_hand_request_body(
    struct session *session, const uv_buf_t *runs, unsigned int count, bool last);
void session_hand_response_body(
    struct session *session, const uv_buf_t *runs, unsigned int count, bool last);
/* What comes behind the response has to wait. */
static inline bool session_response_leaves(const struct session *session)
{
    return hand_leaves(session->down);
}

/* What comes behind the last request has to wait. */
static inline bool session_rules_hold_requests(const struct session *session)
{
    return hand_leaves(session->up) || (session->last && session->last->answer.len > 0);
}

/* The time that passes is that of a rule: no clock runs. */
bool session_rules_wait(const struct session *session);
/* The exchange's request has not all gone on. */
bool session_is_being_sent(const struct session *session, const struct exchange *exchange);
/* So much waits in the hand that no more should be read. */
bool session_rules_queue(const struct session *session, enum direction direction);
/* What waited for the exchange's request to go may go. */
void session_let_others_go(struct session *session, struct exchange *exchange);
/* Asks for the body of a request that is gathered, where the client waits for that (RFC 9110
 * §10.1.1). */
void session_encourage(struct session *session);
/* Sends the answer that a rule gives the first exchange, if it is time. True: something was done.
 */
bool session_give_answer(struct session *session);
/* A request is kept by a rule and will go on, though its client has gone. */
bool session_outlives_client(struct session *session);
void session_forget_hands(struct session *session, const struct exchange *exchange);
void session_close_hands(struct session *session);
bool session_hands_live(const struct session *session);

/* session_answer.c */

/* Notes that the exchange gets our own answer; it is sent when its turn comes. */
void session_refuse(struct exchange *exchange, int status, const char *word, const char *reason);
/* Sends the answer that the first exchange is owed, then ends the session. */
void session_answer_first(struct session *session);
/* The upstream failed the first exchange: our answer if none of it was passed on, else a cut. */
void session_fail_first(struct session *session, int status, const char *word, const char *reason);

#endif
