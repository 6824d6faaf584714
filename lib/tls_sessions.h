/*
 * A client's TLS sessions (RFC 8446 §2.2, RFC 5246 §7.3): the last one of each host, for as many
 * hosts as were called last.
 */
#ifndef LIB_TLS_SESSIONS_H
#define LIB_TLS_SESSIONS_H

#include <stdint.h>

#include <openssl/ssl.h>

#define TLS_SESSIONS_MAX 64 /* hosts */

/* All zero: there is none. */
struct tls_sessions {
    struct tls_session {
        SSL_SESSION *session; /* NULL: the place is free */
        char *host;
        uint64_t used; /* when it was last, in uses */
    } kept[TLS_SESSIONS_MAX];
    uint64_t uses;
};

/* The session to go on with, or NULL. It stays kept. */
SSL_SESSION *tls_sessions_find(struct tls_sessions *sessions, const char *host);

/* Takes SESSION over, in the place of the host's last one, or of that which was used longest ago.
 * 0 or UV_ENOMEM: it is still the caller's. */
int tls_sessions_keep(struct tls_sessions *sessions, const char *host, SSL_SESSION *session);

void tls_sessions_deinit(struct tls_sessions *sessions);

#endif
