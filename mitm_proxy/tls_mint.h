/*
 * Server contexts for any host, with certificates that the CA of this installation signs as they
 * are needed: ECDSA on P-256, one key for all of them, 397 days at most.
 *
 * All but making it and freeing it may be called from any thread.
 *
 * A CA's own certificate is not sent where it is a root: who trusts it has it (RFC 8446 §4.4.2).
 */
#ifndef MITM_PROXY_TLS_MINT_H
#define MITM_PROXY_TLS_MINT_H

#include <stddef.h>

#include "lib/slice.h"
#include "lib/tls.h"
#include "mitm_proxy/tls_ca.h"

#define TLS_MINT_KEEP 1000               /* contexts, unless something else is said */
#define TLS_MINT_UPSTREAM_MAX (32 << 10) /* bytes of an upstream's certificate */

struct tls_mint_config {
    size_t keep; /* contexts at most, the ones used last; 0: TLS_MINT_KEEP */
    void (*on_secret)(void *arg, const char *line); /* as in struct tls_config */
    void *arg;
};

struct tls_mint;

/* Takes CA, also when it fails: NULL with a sentence in WHY (TLS_WHY_MAX bytes). */
struct tls_mint *tls_mint_new(struct tls_ca *ca, const struct tls_mint_config *config, char *why);
/* What it gave away stays good. */
void tls_mint_free(struct tls_mint *mint);

/*
 * A context that stands for HOST: what a client asked for by SNI (A-labels), or an address without
 * brackets. UPSTREAM: the DER of the certificate that is to be stood in for, or absent. Its
 * subjectAltNames, its common names, and its end unless that has passed, are taken over; HOST is
 * added where they do not cover it. Where the CA may not stand for all of them, and without an
 * upstream, the certificate is for HOST alone.
 *
 * The caller owes tls_context_free. NULL with a sentence in WHY: HOST is no name, UPSTREAM is no
 * certificate, the CA has expired or its name constraints do not permit HOST, or there is no
 * memory.
 */
struct tls_context *tls_mint_context(
    struct tls_mint *mint, struct slice host, struct slice upstream, char *why);

struct tls_mint_counts {
    size_t kept;             /* contexts, now */
    unsigned long long made; /* certificates, in all */
};

struct tls_mint_counts tls_mint_counts(struct tls_mint *mint);

#endif
