/*
 * The proxy's whole: the listener, its sessions, those who watch, and how it ends.
 */
#ifndef MITM_PROXY_PROXY_H
#define MITM_PROXY_PROXY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "lib/hostport.h"
#include "lib/http_parser.h"
#include "lib/inbox.h"
#include "lib/listener.h"
#include "lib/options.h"
#include "lib/outbox.h"
#include "lib/spares.h"
#include "lib/tls.h"
#include "mitm_proxy/destination.h"
#include "mitm_proxy/observer.h"
#include "mitm_proxy/rules.h"
#include "mitm_proxy/saved.h"
#include "mitm_proxy/socket_broker.h"
#include "mitm_proxy/waiting.h"

struct replay;
struct session;

enum proxy_mode {
    MODE_REVERSE,     /* every call goes to the upstream */
    MODE_FORWARD,     /* where it says */
    MODE_TRANSPARENT, /* where its connection went, which the kernel diverted */
};

struct proxy_config {
    enum proxy_mode mode;
    struct option_list allow; /* where a forward proxy's calls may go */
    struct hostport listen;
    struct http_url upstream;
    bool rewrite_host;         /* else the Host field passes as it came */
    uint64_t connections_max;  /* at once; past it 503 */
    uint64_t body_max;         /* bytes of request content; past it 413; 0: no limit */
    uint64_t connect_timeout;  /* ms to a connected upstream, then 504 */
    uint64_t head_timeout;     /* ms from a request's first byte to its whole head, then 408 */
    uint64_t idle_timeout;     /* ms without a byte between exchanges or in a request body */
    uint64_t response_timeout; /* ms from a whole request to the response's head, then 504 */
    uint64_t drain_timeout;    /* ms that exchanges in flight get at the end */
    bool tproxy;               /* transparent by TPROXY, with the client's address upstream */
    bool peeks;                /* clients may speak something else than HTTP/1.1: look first */
    const char *intercept;     /* whose TLS is taken apart: all, none, or a glob for names */
    uint64_t rule_body_max;    /* bytes of content that are gathered for rules, at most */
};

/* What several proxies on threads of their own have together. */
struct proxy_shared {
    _Alignas(64) atomic_ullong last_connection; /* ids given */
    atomic_ullong last_exchange;
    atomic_ullong clients; /* connected now */
    /* read with each exchange, and seldom written */
    _Alignas(64) atomic_int failing_records; /* files of evidence that cannot be written, where
                                                that matters */
};

struct proxy {
    uv_loop_t *loop;
    const struct proxy_config *config;
    struct proxy_shared *shared;
    struct observers observers;
    struct inbox inbox; /* of the sessions' streams, as is the next */
    struct outbox outbox;
    struct destination upstream;
    struct socket_broker *broker;     /* with tproxy */
    struct tls_context *upstream_tls; /* NULL: TLS is not spoken with upstreams */
    /*
     * The TLS context with which to appear as HOST, where the upstream's TLS, or NULL, is known; to
     * be freed. NULL with a sentence in WHY. NULL itself: TLS is not taken apart.
     */
    struct tls_context *(*mint)(void *arg, const char *host, const struct tls *upstream, char *why);
    void *mint_arg;
    struct rules *rules;    /* NULL: none; the proxy's, and may be put in another's place */
    struct saved saved;     /* responses for rules that answer with them */
    struct waiting waiting; /* messages that rules keep */
    struct listener listener;
    bool accept_fails; /* the last connection was not accepted, which has been said */
    struct sockaddr_storage listen_address;
    struct sockaddr_storage admin_address; /* nobody calls it through the proxy; 0: there is none */
    struct session *sessions;              /* a list */
    struct replay *replays;                /* that are under way or wait for their time: a list */
    size_t replays_keep;     /* bytes that these keep, and those that have not begun */
    struct spares exchanges; /* memory for those in flight */
    struct http_heads heads; /* of the sessions */
    size_t gathered;         /* bytes of bodies that rules have whole, or want so */
    size_t open_connections; /* of clients, and these replays */
    uv_timer_t drain_timer, flush_timer;
    uv_check_t sockets_read;
    uv_prepare_t turn_end;
    bool draining;
    void (*on_drained)(void *arg); /* all sessions and the proxy's handles are closed */
    void *arg;
};

/* Begins to listen. `shared` is set. 0, UV_E* or UV_EAI_*; on error nothing is left open. */
int proxy_start(struct proxy *proxy, uv_loop_t *loop, const struct proxy_config *config);

/*
 * Begins another one on another loop, which gets its part of the connections that come to where
 * FIRST listens (SO_REUSEPORT, socket(7)). Before either loop runs, and not with rules. The same.
 */
int proxy_start_beside(struct proxy *proxy, uv_loop_t *loop, const struct proxy *first);

/* The port that it listens on. */
uint16_t proxy_port(const struct proxy *proxy);

/*
 * Accepts no more, lets the exchanges in flight end, at most drain_timeout long, then calls
 * ON_DRAINED. Idempotent.
 */
void proxy_drain(struct proxy *proxy, void (*on_drained)(void *arg), void *arg);

/* Called by a session whose memory is about to go. */
void proxy_session_gone(struct proxy *proxy);

/* Ids, from 1, each given once over all that share them. */
static inline uint64_t proxy_next_connection(struct proxy *proxy)
{
    return atomic_fetch_add_explicit(&proxy->shared->last_connection, 1, memory_order_relaxed) + 1;
}

static inline uint64_t proxy_next_exchange(struct proxy *proxy)
{
    return atomic_fetch_add_explicit(&proxy->shared->last_exchange, 1, memory_order_relaxed) + 1;
}

/* True when ADDRESS leads to the proxy's own listener, which is a loop, or to its admin port. */
bool proxy_is_self(const struct proxy *proxy, const struct sockaddr_storage *address);

#endif
