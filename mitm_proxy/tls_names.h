/*
 * Names as certificates have them (RFC 5280 §4.2.1.6): hosts, and what a CA may stand for.
 */
#ifndef MITM_PROXY_TLS_NAMES_H
#define MITM_PROXY_TLS_NAMES_H

#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/slice.h"

#define TLS_NAME_SIZE 254 /* a DNS name of 253 bytes (RFC 1035 §2.3.4) and the terminator */

struct tls_name {
    char text[TLS_NAME_SIZE]; /* a name in lower case, or an address in its usual form */
    unsigned char address[16];
    size_t address_len; /* 4, 16, or 0: a name */
};

/*
 * Reads a DNS name (A-labels; a dot may end it; '_' may stand in it, '*' not) or an address without
 * brackets. False with a sentence in WHY (TLS_WHY_MAX bytes).
 */
bool tls_name_read(struct tls_name *name, struct slice host, char *why);

/* NULL when there is no memory. */
GENERAL_NAME *tls_name_general(const struct tls_name *name);

/*
 * Name constraints (RFC 5280 §4.2.1.10) that permit what TEXTS say: DNS names with all below them,
 * addresses, networks as ADDRESS/PREFIX. Of names and addresses, the kind that none of them has is
 * excluded: a constraint on one kind says nothing of the other. NULL with a sentence in WHY.
 */
NAME_CONSTRAINTS *tls_constraints_new(const char *const *texts, size_t count, char *why);

#endif
