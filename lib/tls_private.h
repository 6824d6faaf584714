/*
 * What the TLS files share: OpenSSL's objects.
 */
#ifndef LIB_TLS_PRIVATE_H
#define LIB_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "lib/tls.h"
#include "lib/tls_sessions.h"

struct tls_context {
    SSL_CTX *ssl;
    atomic_size_t references;     /* from any thread */
    struct tls_config config;     /* without the files */
    struct tls_sessions sessions; /* a client's, to be resumed */
    int keylog;                   /* descriptor; -1: none */
};

struct tls {
    SSL *ssl;
    struct tls_context *context;
    enum tls_state state;
    bool ended;     /* we have said that nothing follows */
    bool untrusted; /* it failed because of the peer's certificate */
    bool asked;     /* the server wants a certificate, and we have none … */
    bool accepted;  /* … but it goes on */
    char *host;
    char problem[TLS_WHY_MAX];
};

/* OpenSSL's first error as a sentence into WHY, behind WHAT. The queue is empty then. */
void tls_explain(char *why, const char *what);

#endif
