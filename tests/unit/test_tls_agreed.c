/* What two ends of TLS agree on: protocols, versions, keys, sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include <cmocka.h>

#include "lib/tls_private.h"
#include "tls_pair.h"

static struct tls_context *client, *server;

static int contexts_make(void **state)
{
    (void)state;
    client = client_context();
    server = server_context("good");
    return 0;
}

static int contexts_free(void **state)
{
    (void)state;
    tls_context_free(client);
    tls_context_free(server);
    return 0;
}

static void use_version(int version)
{
    assert_int_equal(SSL_CTX_set_max_proto_version(server->ssl, version), 1);
}

static void pair_open(struct tls_pair *pair)
{
    pair_start(pair, client, "localhost", server);
    pair_run(pair);
    pair_assert_open(pair);
}

/* The protocols that a client offers, as on the wire, and what comes of it. */
static void test_protocols(void **state)
{
    static const struct {
        const char *offered;
        const char *chosen; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"\x08http/1.1", "http/1.1"},
        {"\x02h2\x08http/1.1", "http/1.1"},
        {"\x02h2", NULL},
        {"\x08http/1.0", NULL},
        {"\x07http/1.", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_context *other = client_context();
        struct tls_pair pair;
        SSL_CTX_set_alpn_protos(other->ssl, (const unsigned char *)cases[i].offered,
            (unsigned)strlen(cases[i].offered));
        pair_start(&pair, other, "localhost", server);
        pair_run(&pair);
        if (cases[i].chosen) {
            pair_assert_open(&pair);
            assert_true(slice_is(tls_protocol(pair.server.tls), cases[i].chosen));
        } else {
            assert_int_equal(tls_state(pair.server.tls), TLS_FAILED);
            assert_non_null(strstr(tls_problem(pair.client.tls), "alert no application protocol"));
        }
        pair_end(&pair);
        tls_context_free(other);
    }
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned int in_len, void *arg)
{
    (void)ssl;
    (void)in;
    (void)in_len;
    (void)arg;
    *out = (const unsigned char *)"h2";
    *out_len = 2;
    return SSL_TLSEXT_ERR_OK;
}

/* A server that chooses what nobody offered is not spoken to in what it did not choose. */
static void test_a_protocol_that_was_not_offered(void **state)
{
    struct tls_context *other = server_context("good");
    struct tls_pair pair;
    (void)state;
    SSL_CTX_set_alpn_select_cb(other->ssl, choose_h2, NULL);
    pair_start(&pair, client, "localhost", other);
    pair_run(&pair);
    assert_int_equal(tls_state(pair.client.tls), TLS_FAILED);
    print_message("%s\n", tls_problem(pair.client.tls));
    pair_end(&pair);
    tls_context_free(other);
}

static void test_old_versions_are_refused(void **state)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tls_context *old = client_context();
        struct tls_pair pair;
        SSL_CTX_set_security_level(old->ssl, 0);
        SSL_CTX_set_min_proto_version(old->ssl, versions[i]);
        SSL_CTX_set_max_proto_version(old->ssl, versions[i]);
        pair_start(&pair, old, "localhost", server);
        pair_run(&pair);
        assert_int_equal(tls_state(pair.server.tls), TLS_FAILED);
        assert_non_null(strstr(tls_problem(pair.client.tls), "alert protocol version"));
        pair_end(&pair);
        tls_context_free(old);
    }
}

/* Is answered by an alert each time, which is sent on rather than kept. */
static void test_renegotiation_is_refused(void **state)
{
    struct tls_pair pair;
    (void)state;
    use_version(TLS1_2_VERSION);
    pair_open(&pair);
    SSL_clear_options(pair.client.tls->ssl, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_renegotiate(pair.client.tls->ssl), 1);
    (void)SSL_do_handshake(pair.client.tls->ssl);
    end_take(&pair.client, slice_of(NULL, 0));
    assert_true(pair.client.wire.len > 0);
    end_take(&pair.server, slice_of(pair.client.wire.data, pair.client.wire.len));
    assert_true(pair.server.wire.len > 0);
    assert_int_equal(tls_state(pair.server.tls), TLS_OPEN);
    pair.client.wire.len = 0;
    pair_run(&pair);
    assert_int_not_equal(tls_state(pair.client.tls), TLS_OPEN);
    pair_end(&pair);
    use_version(0);
}

/* New keys are asked for and given (RFC 8446 §4.6.3), again and again. */
static void test_key_updates(void **state)
{
    struct tls_pair pair;
    (void)state;
    pair_open(&pair);
    for (int i = 0; i < 20; i++) {
        SSL_key_update(pair.client.tls->ssl, SSL_KEY_UPDATE_REQUESTED);
        end_write(&pair.client, slice_str("a"));
        pair_run(&pair);
        end_write(&pair.server, slice_str("b"));
        pair_run(&pair);
    }
    pair_assert_open(&pair);
    assert_int_equal(pair.server.plain.len, 20);
    assert_int_equal(pair.client.plain.len, 20);
    pair_end(&pair);
}

/* Whether a connection with HOST goes on where an earlier one was. */
static bool is_resumed(struct tls_context *from, const char *host, struct tls_context *to)
{
    struct tls_pair pair;
    pair_start(&pair, from, host, to);
    pair_run(&pair);
    pair_assert_open(&pair);
    bool resumed = tls_was_resumed(pair.client.tls);
    assert_int_equal(tls_was_resumed(pair.server.tls), resumed);
    end_write(&pair.client, slice_str("question"));
    end_write(&pair.server, slice_str("answer"));
    pair_run(&pair);
    end_assert_got(&pair.server, slice_str("question"));
    end_assert_got(&pair.client, slice_str("answer"));
    pair_end(&pair); /* without close_notify */
    return resumed;
}

static void test_sessions(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_context *from = client_context();
        use_version(version);
        assert_false(is_resumed(from, "localhost", server));
        for (int i = 0; i < 3; i++)
            assert_true(is_resumed(from, "localhost", server));
        assert_false(is_resumed(from, "127.0.0.1", server));
        assert_true(is_resumed(from, "127.0.0.1", server));
        assert_true(is_resumed(from, "localhost", server));
        struct tls_context *restarted = server_context("good");
        assert_false(is_resumed(from, "localhost", restarted));
        tls_context_free(restarted);
        tls_context_free(from);
    }
    use_version(0);
    assert_int_equal(SSL_CTX_sess_number(server->ssl), 0); /* tickets take none of our memory */
}

/* Twice as many hosts as are kept, and the first of them again and again. */
static void test_hosts_that_are_kept(void **state)
{
    static struct tls_sessions sessions;
    char host[16];
    (void)state;
    assert_null(tls_sessions_find(&sessions, "0"));
    for (int i = 0; i < 2 * TLS_SESSIONS_MAX; i++) {
        snprintf(host, sizeof host, "%d", i);
        assert_int_equal(tls_sessions_keep(&sessions, host, SSL_SESSION_new()), 0);
        assert_non_null(tls_sessions_find(&sessions, host));
        assert_non_null(tls_sessions_find(&sessions, "0"));
    }
    for (int i = 1; i < 2 * TLS_SESSIONS_MAX; i++) {
        snprintf(host, sizeof host, "%d", i);
        assert_int_equal(!tls_sessions_find(&sessions, host), i <= TLS_SESSIONS_MAX);
    }
    SSL_SESSION *newer = SSL_SESSION_new();
    assert_int_equal(tls_sessions_keep(&sessions, "0", newer), 0);
    assert_ptr_equal(tls_sessions_find(&sessions, "0"), newer);
    tls_sessions_deinit(&sessions);
}

/* A client that was known stays known; one that is not does not get in by a session. */
static void test_sessions_of_known_clients(void **state)
{
    const struct tls_config wants = {.server = true,
        .cert_file = pki_file("good"),
        .key_file = pki_file("key"),
        .ca_file = pki_file("ca"),
        .wants_peer = true};
    const struct tls_config has = {
        .cert_file = pki_file("client"), .key_file = pki_file("key"), .ca_file = pki_file("ca")};
    struct tls_context *strict = context_of(&wants), *known = context_of(&has);
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX_set_max_proto_version(strict->ssl, version);
        (void)is_resumed(known, "localhost", strict);
        assert_true(is_resumed(known, "localhost", strict));
    }
    tls_context_free(strict);
    tls_context_free(known);
}

static void test_a_session_that_failed_is_not_used_again(void **state)
{
    struct tls_context *from = client_context();
    struct tls_pair pair;
    (void)state;
    assert_false(is_resumed(from, "localhost", server));
    pair_start(&pair, from, "localhost", server);
    pair_run(&pair);
    assert_true(tls_was_resumed(pair.client.tls));
    end_write(&pair.server, slice_str("answer"));
    pair.server.wire.data[pair.server.wire.len - 1] ^= 1;
    pair_run(&pair);
    assert_int_equal(tls_state(pair.client.tls), TLS_FAILED);
    pair_end(&pair);
    assert_false(is_resumed(from, "localhost", server));
    tls_context_free(from);
}

struct secrets {
    struct buf text;
    int lines;
};

static void on_secret(void *arg, const char *line)
{
    struct secrets *secrets = arg;
    assert_null(strchr(line, '\n'));
    secrets->lines++;
    assert_int_equal(buf_printf(&secrets->text, "%s\n", line), 0);
}

static char *text_of(const struct secrets *secrets)
{
    static char none[1];
    return secrets->text.data ? secrets->text.data : none;
}

/* Every line of A is in B. */
static void assert_same_lines(const struct secrets *a, const struct secrets *b)
{
    for (char *rest = NULL, *line = strtok_r(text_of(a), "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
        assert_non_null(strstr(text_of(b), line));
}

static void test_key_log(void **state)
{
    struct secrets asked = {0}, served = {0};
    const struct tls_config client_config = {
        .ca_file = pki_file("ca"), .on_secret = on_secret, .arg = &asked};
    const struct tls_config server_config = {.server = true,
        .cert_file = pki_file("good"),
        .key_file = pki_file("key"),
        .on_secret = on_secret,
        .arg = &served};
    struct tls_context *from = context_of(&client_config), *to = context_of(&server_config);
    struct tls_pair pair;
    (void)state;
    buf_init(&asked.text, 65536);
    buf_init(&served.text, 65536);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX_set_max_proto_version(to->ssl, version);
        pair_start(&pair, from, "localhost", to);
        pair_run(&pair);
        pair_assert_open(&pair);
        pair_end(&pair);
    }
    assert_int_equal(asked.lines, served.lines);
    assert_non_null(strstr(text_of(&asked), "CLIENT_RANDOM "));
    assert_non_null(strstr(text_of(&asked), "CLIENT_TRAFFIC_SECRET_0 "));
    assert_non_null(strstr(text_of(&asked), "SERVER_TRAFFIC_SECRET_0 "));
    assert_same_lines(&asked, &served);
    buf_deinit(&asked.text);
    buf_deinit(&served.text);
    tls_context_free(from);
    tls_context_free(to);
}

/* A context lives as long as its last connection. */
static void test_contexts_may_go_first(void **state)
{
    struct tls_context *from = client_context(), *to = server_context("good");
    struct tls_pair pair;
    (void)state;
    pair_start(&pair, from, "localhost", to);
    tls_context_free(from);
    tls_context_free(to);
    pair_run(&pair);
    pair_assert_open(&pair);
    pair_end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_protocols, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_a_protocol_that_was_not_offered, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_old_versions_are_refused, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_renegotiation_is_refused, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_key_updates, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(test_sessions, contexts_make, contexts_free),
        cmocka_unit_test(test_hosts_that_are_kept),
        cmocka_unit_test_setup_teardown(
            test_sessions_of_known_clients, contexts_make, contexts_free),
        cmocka_unit_test_setup_teardown(
            test_a_session_that_failed_is_not_used_again, contexts_make, contexts_free),
        cmocka_unit_test(test_key_log),
        cmocka_unit_test(test_contexts_may_go_first),
    };
    return cmocka_run_group_tests(tests, pki_make, pki_remove);
}
