#include "lib/tls_private.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "lib/log.h"

#define SECRET_MAX 512 /* bytes of a line of SSLKEYLOGFILE */

static const unsigned char http_1_1[] = "\x08http/1.1";

/* Only what has forward secrecy and authenticates what it encrypts. */
static const char server_ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

void tls_explain(char *why, const char *what)
{
    unsigned long code = ERR_get_error();
    const char *reason = ERR_SYSTEM_ERROR(code)
                             ? uv_strerror(uv_translate_sys_error(ERR_GET_REASON(code)))
                             : ERR_reason_error_string(code);
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

/* Whole lines only: several programs may write to one file. A line that is lost is said once. */
static void append_secret(int fd, const char *line)
{
    static atomic_bool said;
    char text[SECRET_MAX];
    int len = snprintf(text, sizeof text, "%s\n", line);
    if (len <= 0 || (size_t)len >= sizeof text || write(fd, text, (size_t)len) == len || said)
        return;
    said = true;
    log_error("the key log lacks secrets: %s", uv_strerror(uv_translate_sys_error(errno)));
}

static void on_secret(const SSL *ssl, const char *line)
{
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (context->config.on_secret)
        context->config.on_secret(context->config.arg, line);
    if (context->keylog >= 0)
        append_secret(context->keylog, line);
}

/* Who has the secrets can read all traffic: the file is its owner's alone. */
static bool open_keylog(struct tls_context *context, const char *path, char *why)
{
    if (!path)
        return true;
    context->keylog =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (context->keylog >= 0 && fchmod(context->keylog, 0600) == 0)
        return true;
    snprintf(why, TLS_WHY_MAX, "the key log %s cannot be opened: %s", path,
        uv_strerror(uv_translate_sys_error(errno)));
    return false;
}

/* A client's ticket, which is given away at once. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct tls *tls = SSL_get_app_data(ssl);
    tls->accepted = true;
    return tls_sessions_keep(&context->sessions, tls->host, session) == 0;
}

/* Called where a server wants a certificate and we have none: it gets none. */
static int on_asked(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    struct tls *tls = SSL_get_app_data(ssl);
    (void)certificate;
    (void)key;
    tls->asked = true;
    return 0;
}

/* Without it OpenSSL would ask the terminal. */
static int no_password(char *out, int size, int writing, void *asked)
{
    (void)out;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool load_own(SSL_CTX *ssl, const struct tls_config *config, char *why)
{
    char what[TLS_WHY_MAX];
    const char *key = config->key_file ? config->key_file : config->cert_file;
    bool locked = false;
    if (SSL_CTX_use_certificate_chain_file(ssl, config->cert_file) != 1) {
        snprintf(what, sizeof what, "no certificate can be read from %s", config->cert_file);
        tls_explain(why, what);
        return false;
    }
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &locked);
    bool good = SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (!good) {
        snprintf(what, sizeof what, "no key for that certificate can be read from %s", key);
        tls_explain(why, what);
    }
    if (locked)
        snprintf(why, TLS_WHY_MAX, "the key in %s has a password: give one without", key);
    return good;
}

static bool load_trusted(SSL_CTX *ssl, const struct tls_config *config, char *why)
{
    char what[TLS_WHY_MAX];
    if (!config->ca_file) {
        if (config->server || SSL_CTX_set_default_verify_paths(ssl) == 1)
            return true;
        tls_explain(why, "the certificates that this system trusts cannot be read");
        return false;
    }
    bool good = SSL_CTX_load_verify_file(ssl, config->ca_file) == 1;
    if (good && config->server) /* so that a client with several certificates knows which to show */
        SSL_CTX_set_client_CA_list(ssl, SSL_load_client_CA_file(config->ca_file));
    if (!good) {
        snprintf(
            what, sizeof what, "no certificates to trust can be read from %s", config->ca_file);
        tls_explain(why, what);
    }
    return good;
}

static bool set_up(struct tls_context *context, char *why)
{
    SSL_CTX *ssl = context->ssl;
    const struct tls_config *config = &context->config;
    static const unsigned char id[] = "agent-mitm";
    SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(
        ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    bool ok = SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1;
    if (config->on_secret || context->keylog >= 0)
        SSL_CTX_set_keylog_callback(ssl, on_secret);
    if (config->server) {
        SSL_CTX_set_alpn_select_cb(ssl, on_protocols, NULL);
        ok = ok && SSL_CTX_set_cipher_list(ssl, server_ciphers) == 1 &&
             SSL_CTX_set_session_id_context(ssl, id, sizeof id - 1) == 1;
        SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF); /* clients keep tickets */
        if (config->wants_peer)
            SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    } else {
        ok = ok && SSL_CTX_set_alpn_protos(ssl, http_1_1, sizeof http_1_1 - 1) == 0;
        SSL_CTX_set_verify(ssl, config->unverified ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_session_cache_mode(
            ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(ssl, on_session);
        SSL_CTX_set_client_cert_cb(ssl, on_asked);
    }
    if (!ok)
        tls_explain(why, "TLS cannot be set up");
    return ok;
}

static void destroy(struct tls_context *context)
{
    tls_sessions_deinit(&context->sessions);
    if (context->keylog >= 0)
        close(context->keylog);
    SSL_CTX_free(context->ssl);
    free(context);
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
    context->keylog = -1;
    context->config = *config;
    if (!open_keylog(context, config->keylog_file, why) || !set_up(context, why) ||
        (config->cert_file && !load_own(context->ssl, config, why)) ||
        !load_trusted(context->ssl, config, why)) {
        destroy(context);
        return NULL;
    }
    context->config.cert_file = context->config.key_file = context->config.ca_file = NULL;
    context->config.keylog_file = NULL;
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (context && --context->references == 0)
        destroy(context);
}
