/*
 * SHA-256 (FIPS 180-4) as bytes arrive. With crypto.c all of lib/ that knows OpenSSL.
 */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stddef.h>

#define SHA256_HEX_SIZE 65 /* 64 digits and the terminator */

struct sha256;

struct sha256 *sha256_new(void); /* NULL when there is no memory */
void sha256_free(struct sha256 *sha);

/* Where SHA is NULL these do nothing, and the digest is "". */
void sha256_reset(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t len);

/*
 * Lower-case digits of all that was given since the reset, or "" where memory failed. Reset before
 * the next use.
 */
void sha256_hex(struct sha256 *sha, char out[SHA256_HEX_SIZE]);

#endif
