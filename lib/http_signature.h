/*
 * HTTP Message Signatures (RFC 9421) with hmac-sha256 and ed25519: the fields Signature-Input and
 * Signature, read, verified and written. What a signature must cover, by which key and when, is the
 * caller's to decide (§3.2.1).
 */
#ifndef LIB_HTTP_SIGNATURE_H
#define LIB_HTTP_SIGNATURE_H

#include "lib/crypto.h"
#include "lib/signature_base.h"

/* One signature of a message. Spans point into the texts, which it owns. */
struct http_signature {
    struct buf inputs, signatures; /* the two fields */
    struct slice label;
    struct sf_value input;
    bool has_created, has_expires;
    int64_t created, expires; /* seconds since 1970 */
    /* As they stand between their quotes; absent: not given. */
    struct slice nonce, keyid, alg, tag;
    unsigned char bytes[CRYPTO_SIGNATURE_MAX];
    size_t len;
};

enum http_signature_result {
    HTTP_SIGNATURE_FOUND,
    HTTP_SIGNATURE_MISSING,
    HTTP_SIGNATURE_BAD, /* the fields are not what they should be, or one lacks the other's label */
    HTTP_SIGNATURE_NO_MEMORY,
};

/*
 * The first signature of a message with the tag TAG; with an absent TAG, the first of all. Call
 * http_signature_deinit whatever the result is.
 */
enum http_signature_result http_signature_find(
    struct http_signature *signature, const struct http_head *head, struct slice tag);
void http_signature_deinit(struct http_signature *signature);

/* 0: the signature is KEY's over what it covers of MESSAGE. UV_EACCES, or as signature_base.h. */
int http_signature_verify(const struct http_signature *signature,
    const struct signature_message *message, const struct crypto_key *key)
    __attribute__((warn_unused_result));

/*
 * Signs MESSAGE by INPUT, an inner list with its parameters as text, and appends the field lines
 * Signature-Input and Signature with the label LABEL. 0, UV_EACCES when the key cannot sign, or as
 * signature_base.h; on error OUT may hold a part.
 */
int http_signature_sign(struct buf *out, const struct signature_message *message, const char *label,
    struct slice input, const struct crypto_key *key) __attribute__((warn_unused_result));

#endif
