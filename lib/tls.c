#include "lib/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/hostport.h"
#include "lib/tls_private.h"

#define RECORD_MAX 16384 /* bytes that a record holds (RFC 8446 §5.1) */

/* As names stand in SNI and certificates: without the root's dot (RFC 6066 §3), or a zone. */
static char *host_of(const char *host)
{
    size_t len = strchr(host, ':') ? strcspn(host, "%") : strlen(host);
    if (len > 1 && host[len - 1] == '.')
        len--;
    return strndup(host, len);
}

/* Whom a client expects: said to the server where it is a name, and held against its certificate.
 */
static bool expect(SSL *ssl, const char *host)
{
    struct hostport literal = {0};
    struct sockaddr_storage address;
    snprintf(literal.host, sizeof literal.host, "%s", host);
    if (hostport_literal(&literal, &address) == 0)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(
        ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static bool prepare_client(struct tls *tls, struct tls_context *context, const char *host)
{
    tls->host = host_of(host);
    if (!tls->host || !expect(tls->ssl, tls->host))
        return false;
    SSL_set_connect_state(tls->ssl);
    SSL_SESSION *session = tls_sessions_find(&context->sessions, tls->host);
    if (session)
        SSL_set_session(tls->ssl, session);
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
    /* A session can be resumed also where its connection was cut (RFC 5246 §7.2.1). */
    if (tls->ssl && tls->state != TLS_FAILED)
        SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
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
        tls->untrusted = true;
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
    char plain[RECORD_MAX];
    int err = 0, n;
    while (!err && tls->state == TLS_OPEN) {
        n = SSL_read(tls->ssl, plain, sizeof plain);
        if (n <= 0)
            return check(tls, n);
        err = sink->on_plain(sink->arg, slice_of(plain, (size_t)n));
    }
    return err ? err : tls->state == TLS_FAILED ? UV_EPROTO : 0;
}

/*
 * In TLS 1.3 a client is done before the server has looked at its certificate (RFC 8446 §4.6.2):
 * one that was asked for one and has none would speak to a server that is about to refuse it. A
 * ticket, or data, says that the server goes on. 1, or OpenSSL's result.
 */
static int await_acceptance(struct tls *tls)
{
    char first;
    if (!tls->asked || SSL_version(tls->ssl) != TLS1_3_VERSION)
        return 1;
    int read = SSL_peek(tls->ssl, &first, sizeof first);
    return tls->accepted ? 1 : read;
}

bool tls_awaits_acceptance(const struct tls *tls)
{
    return tls->state == TLS_HANDSHAKE && tls->asked && SSL_is_init_finished(tls->ssl);
}

void tls_presume_accepted(struct tls *tls)
{
    tls->accepted = true;
}

static int shake_hands(struct tls *tls, const struct tls_sink *sink)
{
    if (tls->state != TLS_HANDSHAKE)
        return 0;
    int done = SSL_do_handshake(tls->ssl);
    if (done == 1)
        done = await_acceptance(tls);
    if (done != 1) {
        int err = check(tls, done);
        if (tls->state != TLS_ENDED)
            return err;
        tls->state = TLS_HANDSHAKE;
        return tls_take_end(tls);
    }
    tls->state = TLS_OPEN;
    return sink->on_open ? sink->on_open(sink->arg) : 0;
}

int tls_take(struct tls *tls, struct slice wire, const struct tls_sink *sink)
{
    if (tls->state == TLS_FAILED)
        return UV_EPROTO;
    if (tls->state == TLS_ENDED)
        return 0;
    ERR_clear_error();
    if (wire.len > 0 && BIO_write(SSL_get_rbio(tls->ssl), wire.data, (int)wire.len) <= 0)
        return UV_ENOMEM;
    int err = shake_hands(tls, sink);
    if (!err)
        err = read_plain(tls, sink);
    int sent = drain(tls, sink); /* also of a failure: the peer is told why */
    return err ? err : sent;
}

int tls_take_end(struct tls *tls)
{
    if (tls->state == TLS_HANDSHAKE) {
        snprintf(tls->problem, sizeof tls->problem,
            "the peer closed the connection within the TLS handshake");
        tls->state = TLS_FAILED;
    }
    return tls->state == TLS_FAILED ? UV_EPROTO : 0;
}

int tls_write(struct tls *tls, struct slice plain, const struct tls_sink *sink)
{
    int err = 0;
    if (tls->state == TLS_HANDSHAKE)
        return UV_ENOTCONN;
    if (tls->state == TLS_FAILED)
        return UV_EPROTO;
    ERR_clear_error();
    while (!err && plain.len > 0) {
        size_t len = plain.len < RECORD_MAX ? plain.len : RECORD_MAX;
        int n = SSL_write(tls->ssl, plain.data, (int)len);
        if (n <= 0) {
            err = check(tls, n);
            return err ? err : UV_EPROTO; /* memory takes all: there is nothing to wait for */
        }
        plain = slice_of(plain.data + n, plain.len - (size_t)n);
        err = drain(tls, sink);
    }
    return err;
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

bool tls_is_untrusted(const struct tls *tls)
{
    return tls->untrusted;
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
