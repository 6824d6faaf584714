/*
 * TLS on a stream: its events tell plaintext, and what is written is plaintext, from then on.
 * To write before on_secured is UV_ENOTCONN.
 *
 * A handshake that fails, a certificate that does not hold, and what else is no TLS come as
 * on_error with UV_EPROTO, once; tls_problem says why. A FIN without close_notify (RFC 8446 §6.1)
 * comes as on_eof with stream->cut: no one knows whether it was the peer's. stream_shutdown sends
 * close_notify, stream_close does not: what was written may be cut.
 */
#ifndef LIB_TLS_STREAM_H
#define LIB_TLS_STREAM_H

#include "lib/stream.h"
#include "lib/tls.h"

/*
 * Between two events of a connected STREAM. FIRST: bytes of the handshake that were read already.
 * HOST: as in tls_new. on_secured follows; it may come within. 0, UV_ENOMEM, or what went wrong.
 */
int tls_stream_start(struct stream *stream, struct tls_context *context, const char *host,
    struct slice first) __attribute__((warn_unused_result));

/* The connection's TLS, valid until on_closed; NULL: there is none. */
const struct tls *tls_stream_tls(const struct stream *stream);

#endif
