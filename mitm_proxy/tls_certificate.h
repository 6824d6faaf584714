/*
 * What the files about certificates share: a CA, and how a certificate (RFC 5280) is put together.
 */
#ifndef MITM_PROXY_TLS_CERTIFICATE_H
#define MITM_PROXY_TLS_CERTIFICATE_H

#include <openssl/x509v3.h>
#include <stdbool.h>
#include <time.h>

#define TLS_DAY 86400L /* seconds */

struct tls_ca {
    X509 *certificate;
    EVP_PKEY *key;
    time_t from, until; /* when it is valid */
};

/* False with a sentence in WHY (TLS_WHY_MAX bytes). */
bool tls_ca_is_valid(const struct tls_ca *ca, time_t now, char *why);

/* ECDSA on P-256. NULL, as below, leaves OpenSSL's reason in its queue. */
EVP_PKEY *tls_key_new(void);

/* Version 3, for KEY, with a random serial number of 128 bits; no name, no issuer, not signed. */
X509 *tls_certificate_new(EVP_PKEY *key, time_t from, time_t until);

/* The extension NID from OpenSSL's words for it, see x509v3_config(5). */
bool tls_certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *words);

bool tls_certificate_sign(X509 *certificate, EVP_PKEY *key);

/* -1: it cannot be told. */
time_t tls_time(const ASN1_TIME *time);

#endif
