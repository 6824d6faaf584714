#include "lib/tls_peer.h"

#include <uv.h>

#include "lib/tls_private.h"

int tls_peer_certificate(const struct tls *tls, struct buf *der)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    unsigned char *bytes = NULL;
    if (!certificate)
        return 0;
    int len = i2d_X509(certificate, &bytes);
    if (len < 0)
        return UV_ENOMEM;
    int err = buf_append(der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    return err;
}
