/*
 * The certificate authority of this installation, as "mitm_proxy ca init DIR" makes it.
 */
#ifndef MITM_PROXY_TLS_CA_H
#define MITM_PROXY_TLS_CA_H

#include "lib/buf.h"

struct tls_ca;

/*
 * Reads ca.pem and ca-key.pem in DIR. NULL with a sentence in WHY (TLS_WHY_MAX bytes) that says
 * what to do: also where others may read the key, where it is not the certificate's, where that is
 * no CA's, and outside the time for which it is valid.
 */
struct tls_ca *tls_ca_load(const char *dir, char *why);
void tls_ca_free(struct tls_ca *ca);

/* Appends the certificate of DIR alone as PEM, valid or not. 0, or -1 with a sentence in WHY. */
int tls_ca_export(const char *dir, struct buf *pem, char *why);

#endif
