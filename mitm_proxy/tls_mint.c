#include "mitm_proxy/tls_mint.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"
#include "lib/log.h"
#include "lib/tls_private.h"
#include "mitm_proxy/tls_cache.h"
#include "mitm_proxy/tls_leaf.h"

#define LEAF_DAYS 397
#define SESSIONS_MAX 64 /* of clients without tickets, per context */

struct tls_mint {
    struct tls_ca *ca;
    EVP_PKEY *key;        /* of all leaves */
    X509_STORE *trust;    /* the CA: what a client has that trusts it */
    pthread_mutex_t lock; /* of what is below */
    struct tls_cache *cache;
    struct tls_config server;
    unsigned long long made;
};

/* Where the CA is no root, it is as good as one to who trusts it. */
static X509_STORE *trust_of(const struct tls_ca *ca)
{
    X509_STORE *trust = X509_STORE_new();
    if (trust && X509_STORE_add_cert(trust, ca->certificate) == 1 &&
        X509_STORE_set_flags(trust, X509_V_FLAG_PARTIAL_CHAIN) == 1)
        return trust;
    X509_STORE_free(trust);
    return NULL;
}

struct tls_mint *tls_mint_new(struct tls_ca *ca, const struct tls_mint_config *config, char *why)
{
    struct tls_mint *mint = calloc(1, sizeof *mint);
    if (!mint) {
        tls_ca_free(ca);
        snprintf(why, TLS_WHY_MAX, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&mint->lock, NULL);
    mint->ca = ca;
    mint->server =
        (struct tls_config){.server = true, .on_secret = config->on_secret, .arg = config->arg};
    mint->key = tls_key_new();
    mint->trust = trust_of(ca);
    mint->cache = tls_cache_new(config->keep ? config->keep : TLS_MINT_KEEP);
    if (mint->key && mint->trust && mint->cache)
        return mint;
    tls_mint_free(mint);
    tls_explain(why, "no certificates can be made");
    return NULL;
}

void tls_mint_free(struct tls_mint *mint)
{
    if (!mint)
        return;
    tls_cache_free(mint->cache);
    X509_STORE_free(mint->trust);
    EVP_PKEY_free(mint->key);
    tls_ca_free(mint->ca);
    pthread_mutex_destroy(&mint->lock);
    free(mint);
}

/* As a client sees it at NOW: X509_V_OK, or what is wrong. */
static int verify(const struct tls_mint *mint, X509 *leaf, time_t now)
{
    int result = X509_V_ERR_OUT_OF_MEM;
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    if (check && X509_STORE_CTX_init(check, mint->trust, leaf, NULL) == 1 &&
        X509_STORE_CTX_set_purpose(check, X509_PURPOSE_SSL_SERVER) == 1) {
        X509_STORE_CTX_set_time(check, 0, now);
        X509_verify_cert(check);
        result = X509_STORE_CTX_get_error(check);
    }
    X509_STORE_CTX_free(check);
    return result;
}

/* A certificate that holds. */
static X509 *make_leaf(const struct tls_mint *mint, const struct tls_name *host, X509 *upstream,
    time_t now, time_t until, char *why)
{
    X509 *leaf = tls_leaf_new(mint->ca, mint->key, host, upstream, now - TLS_DAY, until);
    if (!leaf) {
        tls_explain(why, "no certificate can be signed");
        return NULL;
    }
    int wrong = verify(mint, leaf, now);
    if (wrong == X509_V_OK)
        return leaf;
    snprintf(why, TLS_WHY_MAX, "the CA cannot stand for %.80s: %s", host->text,
        X509_verify_cert_error_string(wrong));
    ERR_clear_error();
    X509_free(leaf);
    return NULL;
}

/* The CA goes with it where it leads to another's root. */
static struct tls_context *context_of(const struct tls_mint *mint, X509 *leaf, char *why)
{
    struct tls_context *context = tls_context_new(&mint->server, why);
    if (!context)
        return NULL;
    bool root = X509_self_signed(mint->ca->certificate, 0) == 1;
    if (SSL_CTX_use_certificate(context->ssl, leaf) == 1 &&
        SSL_CTX_use_PrivateKey(context->ssl, mint->key) == 1 &&
        (root || SSL_CTX_add1_chain_cert(context->ssl, mint->ca->certificate) == 1)) {
        SSL_CTX_set_mode(context->ssl, SSL_MODE_NO_AUTO_CHAIN);
        SSL_CTX_sess_set_cache_size(context->ssl, SESSIONS_MAX);
        return context;
    }
    tls_explain(why, "TLS does not take the new certificate");
    tls_context_free(context);
    return NULL;
}

static time_t end_of(const struct tls_mint *mint, X509 *upstream, time_t now)
{
    time_t until = now + (LEAF_DAYS - 1) * TLS_DAY; /* it began yesterday */
    time_t end = upstream ? tls_time(X509_get0_notAfter(upstream)) : -1;
    if (until > mint->ca->until)
        until = mint->ca->until;
    return end > now && end < until ? end : until;
}

static struct tls_context *make(struct tls_mint *mint, const struct tls_name *host, X509 *upstream,
    time_t now, time_t until, char *why)
{
    struct tls_context *context = NULL;
    X509 *leaf = make_leaf(mint, host, upstream, now, until, why);
    if (!leaf && upstream)
        leaf = make_leaf(mint, host, NULL, now, until, why);
    if (leaf)
        context = context_of(mint, leaf, why);
    if (context)
        mint->made++;
    X509_free(leaf);
    return context;
}

/* The digest of the host and of the upstream's certificate. */
static bool key_of(
    const struct tls_name *host, struct slice upstream, unsigned char key[CRYPTO_DIGEST_MAX])
{
    char both[TLS_NAME_SIZE + CRYPTO_DIGEST_MAX] = {0};
    size_t len = crypto_digest(CRYPTO_SHA256, upstream, (unsigned char *)both);
    memcpy(both + len, host->text, sizeof host->text);
    return len > 0 && crypto_digest(CRYPTO_SHA256, slice_of(both, len + strlen(host->text)), key);
}

static bool read_upstream(struct slice der, X509 **upstream, char *why)
{
    const unsigned char *bytes = (const unsigned char *)der.data;
    *upstream = NULL;
    if (der.len == 0)
        return true;
    if (der.len <= TLS_MINT_UPSTREAM_MAX)
        *upstream = d2i_X509(NULL, &bytes, (long)der.len);
    if (!*upstream)
        tls_explain(why, "the upstream's certificate cannot be read");
    return *upstream != NULL;
}

static struct tls_context *make_and_keep(struct tls_mint *mint, const struct tls_name *host,
    struct slice der, const unsigned char *key, time_t now, char *why)
{
    X509 *upstream;
    if (!read_upstream(der, &upstream, why))
        return NULL;
    time_t until = end_of(mint, upstream, now);
    struct tls_context *context = make(mint, host, upstream, now, until, why);
    X509_free(upstream);
    if (context) {
        context->references++; /* one for the caller */
        tls_cache_put(mint->cache, key, until, context);
    }
    return context;
}

struct tls_context *tls_mint_context(
    struct tls_mint *mint, struct slice host, struct slice upstream, char *why)
{
    struct tls_name name;
    unsigned char key[CRYPTO_DIGEST_MAX];
    time_t now = time(NULL);
    ERR_clear_error();
    if (!tls_name_read(&name, host, why) || !tls_ca_is_valid(mint->ca, now, why))
        return NULL;
    if (!key_of(&name, upstream, key)) {
        snprintf(why, TLS_WHY_MAX, "out of memory");
        return NULL;
    }
    pthread_mutex_lock(&mint->lock);
    struct tls_context *context = tls_cache_get(mint->cache, key, now);
    if (context)
        context->references++;
    else
        context = make_and_keep(mint, &name, upstream, key, now, why);
    pthread_mutex_unlock(&mint->lock);
    return context;
}

struct tls_mint_counts tls_mint_counts(struct tls_mint *mint)
{
    pthread_mutex_lock(&mint->lock);
    struct tls_mint_counts counts = {.kept = tls_cache_count(mint->cache), .made = mint->made};
    pthread_mutex_unlock(&mint->lock);
    return counts;
}
