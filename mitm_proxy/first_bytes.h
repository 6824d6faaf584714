/*
 * What a client speaks, by the first bytes that it sends: TLS (RFC 8446 §4.1.2), HTTP/2 with prior
 * knowledge (RFC 9113 §3.4), what HTTP/1.1 may be, or something else. No I/O.
 */
#ifndef MITM_PROXY_FIRST_BYTES_H
#define MITM_PROXY_FIRST_BYTES_H

#include "lib/slice.h"

#define FIRST_BYTES_MAX (20UL * 1024) /* of which a ClientHello must be whole */

enum first_bytes {
    FIRST_BYTES_MORE, /* that cannot be told yet */
    FIRST_BYTES_TLS,
    FIRST_BYTES_HTTP_2,
    FIRST_BYTES_HTTP,
    FIRST_BYTES_OTHER, /* that no request begins like (RFC 9112 §3), or SSH (RFC 4253 §4.2) */
};

/*
 * SERVER_NAME: whom a TLS client asks for (RFC 6066 §3), absent if it does not say. Points into
 * SCRATCH, which has FIRST_BYTES_MAX bytes. Of TLS that makes no sense nothing is said but that.
 */
enum first_bytes first_bytes_look(struct slice bytes, char *scratch, struct slice *server_name);

#endif
