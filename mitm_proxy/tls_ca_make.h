/*
 * A new certificate authority for this installation: ECDSA on P-256, self-signed, 10 years.
 */
#ifndef MITM_PROXY_TLS_CA_MAKE_H
#define MITM_PROXY_TLS_CA_MAKE_H

#include <stddef.h>

#include "lib/buf.h"

struct tls_ca_plan {
    const char *name;           /* UTF-8, 1 to 64 characters; NULL: from host name and date */
    const char *const *permits; /* as tls_constraints_new takes them */
    size_t permits_count;       /* 0: it may stand for all names */
};

/*
 * Appends both as PEM: the certificate (RFC 7468 §5) and the key (PKCS #8, RFC 7468 §10), no
 * password. 0, or -1 with a sentence in WHY (TLS_WHY_MAX bytes).
 */
int tls_ca_make(
    const struct tls_ca_plan *plan, struct buf *certificate, struct buf *key, char *why);

#endif
