#include "lib/sha256.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/sha256_thread.h"

/* A digest that has had so many bytes, and gets so many at once, is worth a thread. */
#define LONG (1UL << 20)
#define LARGE (64UL << 10)

struct sha256 {
    EVP_MD_CTX *context;
    bool begun;                   /* the context has its memory */
    uint64_t had;                 /* bytes, since the reset */
    struct sha256_thread *thread; /* what is above is its own; NULL: none */
};

/* Fetched once: a fetch per digest would cost more than the digest. NULL: there was no memory yet.
 */
static EVP_MD *_Atomic algorithm;

static void fetch(void)
{
    EVP_MD *none = NULL, *fetched = algorithm ? NULL : EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!atomic_compare_exchange_strong(&algorithm, &none, fetched))
        EVP_MD_free(fetched); /* another thread was first */
}

struct sha256 *sha256_new(void)
{
    struct sha256 *sha = calloc(1, sizeof *sha);
    if (!sha)
        return NULL;
    fetch();
    sha->context = EVP_MD_CTX_new();
    if (algorithm && sha->context)
        sha256_reset(sha);
    if (sha->begun)
        return sha;
    sha256_free(sha);
    return NULL;
}

static void end_thread(struct sha256 *sha)
{
    sha256_thread_free(sha->thread);
    sha->thread = NULL;
}

void sha256_free(struct sha256 *sha)
{
    if (!sha)
        return;
    end_thread(sha);
    EVP_MD_CTX_free(sha->context);
    free(sha);
}

void sha256_reset(struct sha256 *sha)
{
    if (!sha)
        return;
    end_thread(sha);
    sha->had = 0;
    sha->begun = EVP_DigestInit_ex2(sha->context, algorithm, NULL) == 1;
}

static void hash(void *state, const void *data, size_t len)
{
    struct sha256 *sha = state;
    if (sha->begun)
        sha->begun = EVP_DigestUpdate(sha->context, data, len) == 1;
}

void sha256_update(struct sha256 *sha, const void *data, size_t len)
{
    if (!sha)
        return;
    if (!sha->thread && sha->had >= LONG && len >= LARGE)
        sha->thread = sha256_thread_new(hash, sha);
    sha->had += len;
    if (sha->thread)
        sha256_thread_give(sha->thread, data, len);
    else
        hash(sha, data, len);
}

void sha256_hex(struct sha256 *sha, char out[SHA256_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[32] = {0};
    unsigned int len = 0;
    out[0] = '\0';
    if (sha)
        end_thread(sha);
    if (!sha || !sha->begun || EVP_DigestFinal_ex(sha->context, digest, &len) != 1)
        return;
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[SHA256_HEX_SIZE - 1] = '\0';
}
