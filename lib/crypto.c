#include "lib/crypto.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define HMAC_SIZE 32

/* One of the two. */
struct crypto_key {
    EVP_PKEY *pair;    /* Ed25519 */
    EVP_MAC_CTX *hmac; /* begun with the secret: a copy of it makes each signature */
};

size_t crypto_digest(enum crypto_hash hash, struct slice text, unsigned char out[CRYPTO_DIGEST_MAX])
{
    unsigned int len = 0;
    const EVP_MD *algorithm = hash == CRYPTO_SHA512 ? EVP_sha512()
                              : hash == CRYPTO_SHA1 ? EVP_sha1()
                                                    : EVP_sha256();
    return EVP_Digest(text.data, text.len, out, &len, algorithm, NULL) == 1 ? len : 0;
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

bool crypto_random(void *out, size_t len)
{
    return len <= INT_MAX && RAND_bytes(out, (int)len) == 1;
}

struct crypto_key *crypto_key_secret(struct slice secret)
{
    static char hash[] = "SHA256";
    static const unsigned char nothing[1];
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end(),
    };
    /* No key at all would mean the one from before. */
    const unsigned char *data = secret.len > 0 ? (const unsigned char *)secret.data : nothing;
    struct crypto_key *key = calloc(1, sizeof *key);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (key != NULL && hmac != NULL)
        key->hmac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    if (key != NULL && key->hmac != NULL && EVP_MAC_init(key->hmac, data, secret.len, params) == 1)
        return key;
    crypto_key_free(key);
    return NULL;
}

/* Without it OpenSSL would ask the terminal. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

typedef EVP_PKEY *pem_read_fn(BIO *bio, EVP_PKEY **pair, pem_password_cb *password, void *arg);

static struct crypto_key *key_from_pem(struct slice pem, pem_read_fn *read)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    EVP_PKEY *pair = bio != NULL ? read(bio, NULL, no_password, NULL) : NULL;
    struct crypto_key *key = NULL;
    BIO_free(bio);
    if (pair != NULL && EVP_PKEY_get_id(pair) == EVP_PKEY_ED25519)
        key = calloc(1, sizeof *key);
    if (key != NULL)
        key->pair = pair;
    else
        EVP_PKEY_free(pair);
    return key;
}

struct crypto_key *crypto_key_private(struct slice pem)
{
    return key_from_pem(pem, PEM_read_bio_PrivateKey);
}

struct crypto_key *crypto_key_public(struct slice pem)
{
    return key_from_pem(pem, PEM_read_bio_PUBKEY);
}

void crypto_key_free(struct crypto_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pair);
    EVP_MAC_CTX_free(key->hmac);
    free(key);
}

const char *crypto_key_algorithm(const struct crypto_key *key)
{
    return key->pair != NULL ? "ed25519" : "hmac-sha256";
}

static size_t sign_hmac(
    const EVP_MAC_CTX *hmac, struct slice text, unsigned char out[CRYPTO_SIGNATURE_MAX])
{
    size_t len = 0;
    const unsigned char *data = (const unsigned char *)text.data;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(hmac);
    bool good = context != NULL && EVP_MAC_update(context, data, text.len) == 1 &&
                EVP_MAC_final(context, out, &len, CRYPTO_SIGNATURE_MAX) == 1;
    EVP_MAC_CTX_free(context);
    return good ? len : 0;
}

static size_t sign_pair(EVP_PKEY *pair, struct slice text, unsigned char out[CRYPTO_SIGNATURE_MAX])
{
    size_t len = CRYPTO_SIGNATURE_MAX;
    const unsigned char *data = (const unsigned char *)text.data;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, pair) == 1 &&
                EVP_DigestSign(context, out, &len, data, text.len) == 1;
    EVP_MD_CTX_free(context);
    return good ? len : 0;
}

size_t crypto_sign(
    const struct crypto_key *key, struct slice text, unsigned char out[CRYPTO_SIGNATURE_MAX])
{
    return key->pair != NULL ? sign_pair(key->pair, text, out) : sign_hmac(key->hmac, text, out);
}

static bool verify_pair(
    EVP_PKEY *pair, struct slice text, const unsigned char *signature, size_t len)
{
    const unsigned char *data = (const unsigned char *)text.data;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pair) == 1 &&
                EVP_DigestVerify(context, signature, len, data, text.len) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

bool crypto_verify(
    const struct crypto_key *key, struct slice text, const unsigned char *signature, size_t len)
{
    unsigned char wanted[CRYPTO_SIGNATURE_MAX];
    if (key->pair != NULL)
        return verify_pair(key->pair, text, signature, len);
    return sign_hmac(key->hmac, text, wanted) == HMAC_SIZE && len == HMAC_SIZE &&
           crypto_equal(wanted, signature, len);
}
