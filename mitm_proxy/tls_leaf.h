/*
 * A server's certificate that stands in for another one.
 */
#ifndef MITM_PROXY_TLS_LEAF_H
#define MITM_PROXY_TLS_LEAF_H

#include "mitm_proxy/tls_certificate.h"
#include "mitm_proxy/tls_names.h"

/*
 * For HOST, and for all that UPSTREAM (NULL: none) is for; KEY is the server's. NULL leaves
 * OpenSSL's reason in its queue.
 */
X509 *tls_leaf_new(const struct tls_ca *ca, EVP_PKEY *key, const struct tls_name *host,
    X509 *upstream, time_t from, time_t until);

#endif
