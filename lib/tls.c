#include "lib/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/hostport.h"
#include "lib/tls_private.h"

#define READ_SIZE 16384 /* what one record may hold (RFC 8446 §5.1) */

static const unsigned char http_1_1[] = "\x08http/1.1";

/* Only what has forward secrecy and authenticates what it encrypts. */
static const char server_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

void tls_explain(char *why, const char *what)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(why, TLS_WHY_MAX, "%s: %s", what, reason ? reason : "unknown reason");
    ERR_clear_error();
}

/* The only protocol that we speak. A client that offers others alone is told so. */
static int on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned int in_len, void *arg)
{
    unsigned char *found = NULL;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&found, out_len, http_1_1, sizeof http_1_1 - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = found;
    return SSL_TLSEXT_ERR_OK;
}

static void on_secret(const SSL *ssl, const char *line)
{
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    context->config.on_secret(context->config.arg, line);
}

/* A client's ticket, which is given away at once. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const struct tls *tls = SSL_get_app_data(ssl);
    char *host = strdup(tls->host);
    if (!host)
        return 0;
    SSL_SESSION_free(context->session);
    free(context->session_host);
    context->session = session;
    context->session_host = host;
    return 1;
}

static bool load_files(SSL_CTX *ssl, const struct tls_config *config, char *why)
{
    char what[TLS_WHY_MAX];
    if (config->cert_file && SSL_CTX_use_certificate_chain_file(ssl, config->cert_file) != 1) {
        snprintf(what, sizeof what, "no certificate can be read from %s", config->cert_file);
        tls_explain(why, what);
        return false;
    }
    const char *key = config->key_file ? config->key_file : config->cert_file;
    if (config->cert_file && (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1 ||
                                 SSL_CTX_check_private_key(ssl) != 1)) {
        snprintf(what, sizeof what, "no key for that certificate can be read from %s", key);
        tls_explain(why, what);
        return false;
    }
    if (config->ca_file && SSL_CTX_load_verify_file(ssl, config->ca_file) != 1) {
        snprintf(
            what, sizeof what, "no certificates to trust can be read from %s", config->ca_file);
        tls_explain(why, what);
        return false;
    }
    if (!config->server && !config->ca_file && SSL_CTX_set_default_verify_paths(ssl) != 1) {
        tls_explain(why, "the certificates that this system trusts cannot be read");
        return false;
    }
    return true;
}

static bool set_up(struct tls_context *context, char *why)
{
    SSL_CTX *ssl = context->ssl;
    const struct tls_config *config = &context->config;
    static const unsigned char id[] = "agent-mitm";
    SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(
        ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    bool ok = SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1;
    if (config->on_secret)
        SSL_CTX_set_keylog_callback(ssl, on_secret);
    if (config->server) {
        SSL_CTX_set_alpn_select_cb(ssl, on_protocols, NULL);
        ok = ok && SSL_CTX_set_cipher_list(ssl, server_ciphers) == 1 &&
             SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1) == 1;
        if (config->wants_peer)
            SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    } else {
        ok = ok && SSL_CTX_set_alpn_protos(ssl, http_1_1, sizeof http_1_1 - 1) == 0;
        SSL_CTX_set_verify(ssl, config->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_session_cache_mode(
            ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(ssl, on_session);
    }
    if (!ok)
        tls_explain(why, "TLS cannot be set up");
    return ok;
}

struct tls_context *tls_context_new(const struct tls_config *config, char *why)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (context)
        context->ssl = SSL_CTX_new(config->server ? TLS_server_method() : TLS_client_method());
    if (!context || !context->ssl) {
        free(context);
        snprintf(why, TLS_WHY_MAX, "out of memory");
        return NULL;
    }
    context->references = 1;
    context->config = *config;
    if (!set_up(context, why) || !load_files(context->ssl, config, why)) {
        tls_context_free(context);
        return NULL;
    }
    context->config.cert_file = context->config.key_file = context->config.ca_file = NULL;
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (!context || --context->references > 0)
        return;
    SSL_SESSION_free(context->session);
    free(context->session_host);
    SSL_CTX_free(context->ssl);
    free(context);
}

/* Whom a client expects: said to the server where it is a name, and held against its certificate.
 */
static bool expect(struct tls *tls, const char *host)
{
    struct hostport literal = {0};
    struct sockaddr_storage address;
    snprintf(literal.host, sizeof literal.host, "%s", host);
    if (hostport_literal(&literal, &address) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host) == 1;
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(tls->ssl, host) == 1 && SSL_set1_host(tls->ssl, host) == 1;
}

static bool prepare_client(struct tls *tls, struct tls_context *context, const char *host)
{
    tls->host = strdup(host);
    if (!tls->host || !expect(tls, host))
        return false;
    SSL_set_connect_state(tls->ssl);
    if (context->session && strcmp(context->session_host, host) == 0)
        SSL_set_session(tls->ssl, context->session);
    return true;
}

struct tls *tls_new(struct tls_context *context, const char *host)
{
    struct tls *tls = calloc(1, sizeof *tls);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (tls)
        tls->ssl = SSL_new(context->ssl);
    if (!tls || !tls->ssl || !in || !out) {
        BIO_free(in);
        BIO_free(out);
        tls_free(tls);
        return NULL;
    }
    BIO_set_mem_eof_return(in, -1);
    SSL_set_bio(tls->ssl, in, out);
    SSL_set_app_data(tls->ssl, tls);
    tls->context = context;
    context->references++;
    if (context->config.server)
        SSL_set_accept_state(tls->ssl);
    else if (!prepare_client(tls, context, host)) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    tls_context_free(tls->context);
    free(tls->host);
    free(tls);
}

/* Sends what OpenSSL has for the peer. */
static int drain(struct tls *tls, const struct tls_sink *sink)
{
    BIO *out = SSL_get_wbio(tls->ssl);
    char *data;
    long len = BIO_get_mem_data(out, &data);
    if (len <= 0)
        return 0;
    int err = sink->on_wire(sink->arg, slice_of(data, (size_t)len));
    (void)BIO_reset(out);
    return err;
}

/* A certificate that does not hold says why; other failures have OpenSSL's words. */
static void explain_failure(struct tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    if (verified != X509_V_OK && !tls->context->config.unverified) {
        snprintf(tls->problem, sizeof tls->problem, "the peer's certificate does not hold: %s",
            X509_verify_cert_error_string(verified));
        ERR_clear_error();
        return;
    }
    tls_explain(tls->problem,
        tls->state == TLS_HANDSHAKE ? "the TLS handshake failed" : "the TLS connection failed");
}

/* What OpenSSL's RESULT means: 0, or UV_EPROTO when it failed for good. */
static int check(struct tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        tls->state = TLS_ENDED;
        return 0;
    default:
        explain_failure(tls);
        tls->state = TLS_FAILED;
        return UV_EPROTO;
    }
}

static int read_plain(struct tls *tls, const struct tls_sink *sink)
{
    char plain[READ_SIZE];
    int err = 0, n;
    while (!err && tls->state == TLS_OPEN) {
        n = SSL_read(tls->ssl, plain, sizeof plain);
        if (n <= 0)
            return check(tls, n);
        err = sink->on_plain(sink->arg, slice_of(plain, (size_t)n));
    }
    return err;
}

int tls_take(struct tls *tls, struct slice wire, const struct tls_sink *sink)
{
    int err = 0;
    if (tls->state == TLS_FAILED)
        return UV_EPROTO;
    ERR_clear_error();
    if (wire.len > 0 && BIO_write(SSL_get_rbio(tls->ssl), wire.data, (int)wire.len) <= 0)
        return UV_ENOMEM;
    if (tls->state == TLS_HANDSHAKE) {
        int done = SSL_do_handshake(tls->ssl);
        err = done == 1 ? 0 : check(tls, done);
        if (done == 1)
            tls->state = TLS_OPEN;
    }
    /* What a failed handshake still says tells the peer why. */
    int sent = drain(tls, sink);
    if (!err)
        err = sent;
    if (!err)
        err = read_plain(tls, sink);
    return err;
}

int tls_write(struct tls *tls, struct slice plain, const struct tls_sink *sink)
{
    ERR_clear_error();
    while (plain.len > 0) {
        size_t len = plain.len < READ_SIZE ? plain.len : READ_SIZE;
        int n = SSL_write(tls->ssl, plain.data, (int)len);
        if (n <= 0) {
            int err = check(tls, n);
            return err ? err : UV_EAGAIN; /* memory takes all, once the handshake is over */
        }
        plain = slice_of(plain.data + n, plain.len - (size_t)n);
    }
    return drain(tls, sink);
}

int tls_end(struct tls *tls, const struct tls_sink *sink)
{
    if (tls->ended || tls->state == TLS_FAILED)
        return 0;
    tls->ended = true;
    ERR_clear_error();
    if (tls->state != TLS_HANDSHAKE)
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    return drain(tls, sink);
}

enum tls_state tls_state(const struct tls *tls)
{
    return tls->state;
}

const char *tls_problem(const struct tls *tls)
{
    return tls->problem;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}

bool tls_was_resumed(const struct tls *tls)
{
    return SSL_session_reused(tls->ssl) == 1;
}

struct slice tls_protocol(const struct tls *tls)
{
    const unsigned char *data = NULL;
    unsigned int len = 0;
    SSL_get0_alpn_selected(tls->ssl, &data, &len);
    return slice_of((const char *)data, len);
}

struct slice tls_host(const struct tls *tls)
{
    const char *asked = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    const char *host = tls->host ? tls->host : asked;
    return host ? slice_str(host) : slice_of(NULL, 0);
}
