/*
 * The certificate that the other end of a TLS connection has shown.
 */
#ifndef LIB_TLS_PEER_H
#define LIB_TLS_PEER_H

#include "lib/buf.h"
#include "lib/tls.h"

/* Appends it as DER; nothing if it showed none. 0 or an error of buf.h. */
int tls_peer_certificate(const struct tls *tls, struct buf *der)
    __attribute__((warn_unused_result));

#endif
