#include "lib/tls.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/hostport.h"
#include "lib/tls_private.h"

#define READ_SIZE 16384 /* what one record may hold (RFC 8446 §5.1) */

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
