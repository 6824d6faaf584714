/*
 * What the agents' defences need of cryptography: SHA-256 and SHA-512 of a text that is there, HMAC
 * (RFC 2104) with SHA-256, Ed25519 (RFC 8032), and random bytes; and SHA-1, which the handshake of
 * a WebSocket has (RFC 6455 §4.2.2). With sha256.c all that knows OpenSSL.
 */
#ifndef LIB_CRYPTO_H
#define LIB_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/slice.h"

#define CRYPTO_DIGEST_MAX 64    /* bytes */
#define CRYPTO_SIGNATURE_MAX 64 /* bytes */

enum crypto_hash {
    CRYPTO_SHA256,
    CRYPTO_SHA512,
    CRYPTO_SHA1,
};

/* The digest's length in bytes, or 0 when there is no memory. */
size_t crypto_digest(
    enum crypto_hash hash, struct slice text, unsigned char out[CRYPTO_DIGEST_MAX]);

/* Equal bytes, compared in a time that does not tell where they differ. */
bool crypto_equal(const void *a, const void *b, size_t len);

/* False when the system has no random bytes to give. */
bool crypto_random(void *out, size_t len);

struct crypto_key;

/* A shared secret for HMAC with SHA-256: copied. NULL when there is no memory. */
struct crypto_key *crypto_key_secret(struct slice secret);

/*
 * The Ed25519 key of a PEM text: a private one (PKCS #8), or a public one (SubjectPublicKeyInfo).
 * NULL when it is something else, or wants a password.
 */
struct crypto_key *crypto_key_private(struct slice pem);
struct crypto_key *crypto_key_public(struct slice pem);

void crypto_key_free(struct crypto_key *key);

/* The algorithm's name in RFC 9421 §6.2.2: "hmac-sha256" or "ed25519". */
const char *crypto_key_algorithm(const struct crypto_key *key);

/* The signature's length, or 0: memory failed, or the key is a public one. */
size_t crypto_sign(
    const struct crypto_key *key, struct slice text, unsigned char out[CRYPTO_SIGNATURE_MAX]);

bool crypto_verify(
    const struct crypto_key *key, struct slice text, const unsigned char *signature, size_t len);

#endif
