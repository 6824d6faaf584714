/*
 * Content-Digest (RFC 9530): says whether a body is what its sender had. Anyone who changes the
 * body can change the digest too; only a signature over the field keeps that from working.
 */
#ifndef LIB_HTTP_DIGEST_H
#define LIB_HTTP_DIGEST_H

#include "lib/buf.h"
#include "lib/http_head.h"

enum http_digest_result {
    HTTP_DIGEST_MATCHES,
    HTTP_DIGEST_MISSING, /* no field, or none of sha-256 and sha-512 in it */
    HTTP_DIGEST_BAD,     /* the field is no dictionary of byte sequences */
    HTTP_DIGEST_DIFFERS, /* one of the two is another than that of the body */
    HTTP_DIGEST_NO_MEMORY,
};

/* Appends the field line "Content-Digest: sha-256=:…:" with CRLF. 0, UV_ENOMEM or UV_ENOBUFS. */
int http_digest_append(struct buf *out, struct slice body) __attribute__((warn_unused_result));

/* Holds a message's Content-Digest against its body: sha-256 and sha-512, all that are there. */
enum http_digest_result http_digest_check(const struct http_head *head, struct slice body);

#endif
