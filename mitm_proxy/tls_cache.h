/*
 * Servers' TLS contexts by a digest: the ones used last are kept.
 */
#ifndef MITM_PROXY_TLS_CACHE_H
#define MITM_PROXY_TLS_CACHE_H

#include <stddef.h>
#include <time.h>

#include "lib/crypto.h"
#include "lib/tls.h"

struct tls_cache;

/* MAX contexts at most, 1 or more. NULL when there is no memory. */
struct tls_cache *tls_cache_new(size_t max);
void tls_cache_free(struct tls_cache *cache);

size_t tls_cache_count(const struct tls_cache *cache);

/* KEY is a SHA-256. NULL: there is none, or NOW is its end. Borrowed until the next put. */
struct tls_context *tls_cache_get(
    struct tls_cache *cache, const unsigned char key[CRYPTO_DIGEST_MAX], time_t now);

/* Takes the reference of CONTEXT, in place of what KEY had. Without memory it is freed at once. */
void tls_cache_put(struct tls_cache *cache, const unsigned char key[CRYPTO_DIGEST_MAX],
    time_t until, struct tls_context *context);

#endif
