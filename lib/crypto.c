#include "lib/crypto.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define HMAC_SIZE 32

struct crypto_key {
    EVP_PKEY *pair; /* Ed25519, or NULL: a secret */
    size_t secret_len;
    unsigned char secret[];
};

size_t crypto_digest(enum crypto_hash hash, struct slice text, unsigned char out[CRYPTO_DIGEST_MAX])
{
    unsigned int len = 0;
    const EVP_MD *algorithm = hash == CRYPTO_SHA512 ? EVP_sha512() : EVP_sha256();
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
    struct crypto_key *key = calloc(1, sizeof *key + secret.len);
    if (key == NULL)
        return NULL;
    key->secret_len = secret.len;
    if (secret.len > 0)
        memcpy(key->secret, secret.data, secret.len);
    return key;
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
    OPENSSL_cleanse(key->secret, key->secret_len);
    free(key);
}

const char *crypto_key_algorithm(const struct crypto_key *key)
{
    return key->pair != NULL ? "ed25519" : "hmac-sha256";
}

static size_t sign_hmac(
    const struct crypto_key *key, struct slice text, unsigned char out[CRYPTO_SIGNATURE_MAX])
{
    size_t len = 0;
    const unsigned char *data = (const unsigned char *)text.data;
    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->secret, key->secret_len, data,
               text.len, out, CRYPTO_SIGNATURE_MAX, &len) != NULL
               ? len
               : 0;
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
    return key->pair != NULL ? sign_pair(key->pair, text, out) : sign_hmac(key, text, out);
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
    return sign_hmac(key, text, wanted) == HMAC_SIZE && len == HMAC_SIZE &&
           crypto_equal(wanted, signature, len);
}
