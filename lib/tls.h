/*
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over bytes that someone else moves. No I/O.
 *
 * With the other files whose names begin with tls, all that knows OpenSSL's libssl.
 */
#ifndef LIB_TLS_H
#define LIB_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/slice.h"

#define TLS_WHY_MAX 256

/* What the connections of one side have in common. All texts are borrowed until tls_context_new. */
struct tls_config {
    bool server;
    const char *cert_file; /* PEM: our certificate and what leads to its root; NULL: none */
    const char *key_file;  /* PEM, of that */
    const char *ca_file;   /* PEM: whom we trust. NULL: a client trusts the system's */
    bool unverified;       /* a client takes any certificate */
    bool wants_peer;       /* a server takes only clients that ca_file stands for */
    /* Each secret as a line of SSLKEYLOGFILE, without the line feed; or NULL. */
    void (*on_secret)(void *arg, const char *line);
    void *arg;
    const char *keylog_file; /* the same, appended to a file that only its owner reads; or NULL */
};

struct tls_context;

/* NULL with a sentence in WHY (TLS_WHY_MAX bytes) that says what to do. */
struct tls_context *tls_context_new(const struct tls_config *config, char *why);
/* Connections that use it keep it alive. A server's may be used and freed by several threads. */
void tls_context_free(struct tls_context *context);

/* One connection's end. */
struct tls;

/* The slices are valid during the call. A negative UV_E* ends the call that it was made from. */
struct tls_sink {
    int (*on_open)(void *arg); /* the handshake is over, nothing was read yet; may be NULL */
    int (*on_wire)(void *arg, struct slice bytes);  /* for the peer */
    int (*on_plain)(void *arg, struct slice bytes); /* from the peer */
    void *arg;
};

enum tls_state {
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_ENDED,  /* the peer has said that nothing follows (close_notify) */
    TLS_FAILED, /* for good: see tls_problem */
};

/*
 * HOST: whom a client expects, a name or an address: it is asked for (RFC 6066 §3), and the
 * certificate has to be for it (RFC 9525). NULL for servers. NULL when there is no memory.
 */
struct tls *tls_new(struct tls_context *context, const char *host);
void tls_free(struct tls *tls);

/*
 * A client's first bytes come from a call with no bytes, and so does what an earlier call did not
 * read because the sink ended it. A client without the certificate that the server wants is open
 * only when that goes on without: when it sends a ticket (RFC 8446 §4.6.1) or data, or
 * tls_presume_accepted was called. All return 0, what the sink returned, or UV_EPROTO: see
 * tls_problem. To write before the handshake is over is UV_ENOTCONN.
 */
int tls_take(struct tls *tls, struct slice wire, const struct tls_sink *sink)
    __attribute__((warn_unused_result));
int tls_write(struct tls *tls, struct slice plain, const struct tls_sink *sink)
    __attribute__((warn_unused_result));
/* Nothing lacks but the word of a server that wanted a certificate and got none. */
bool tls_awaits_acceptance(const struct tls *tls);
/* It has been silent for long enough: the next tls_take goes on. */
void tls_presume_accepted(struct tls *tls);

/* The wire has ended. 0: whether the peer said so tells tls_state. UV_EPROTO: within a handshake.
 */
int tls_take_end(struct tls *tls) __attribute__((warn_unused_result));
/* Says that nothing follows. */
int tls_end(struct tls *tls, const struct tls_sink *sink) __attribute__((warn_unused_result));

enum tls_state tls_state(const struct tls *tls);
/* Why it failed: a sentence without the full stop; "" if it did not. */
const char *tls_problem(const struct tls *tls);
/* It failed because we do not take the peer's certificate. */
bool tls_is_untrusted(const struct tls *tls);

/* Of a connection that is open: "TLSv1.3". */
const char *tls_version(const struct tls *tls);
bool tls_was_resumed(const struct tls *tls);
/* What was agreed on (RFC 7301), absent if nothing. */
struct slice tls_protocol(const struct tls *tls);
/* What the peer asked for as a server, or whom we expect; absent if nothing. */
struct slice tls_host(const struct tls *tls);

#endif
