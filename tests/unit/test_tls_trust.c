/* Whom the ends of TLS trust, and what is said of files that cannot be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "tls_pair.h"

static bool is_open(const struct tls_end *end)
{
    return tls_state(end->tls) == TLS_OPEN;
}

/* A client that trusts CA is with HOST's server, which has CERT. PROBLEM: NULL: it is taken. */
struct trust_case {
    const char *cert, *host, *ca, *problem;
};

static const struct trust_case trust_cases[] = {
    {"good", "localhost", "ca", NULL},
    {"good", "LOCALHOST", "ca", NULL},
    {"good", "localhost.", "ca", NULL},
    {"good", "127.0.0.1", "ca", NULL},
    {"good", "::1", "ca", NULL},
    {"good", "0:0:0:0:0:0:0:1", "ca", NULL},
    {"good", "::1%lo", "ca", NULL},
    {"good", "127.0.0.2", "ca", "IP address mismatch"},
    {"good", "::2", "ca", "IP address mismatch"},
    {"good", "example.com", "ca", "hostname mismatch"},
    {"good", "localhost.example.com", "ca", "hostname mismatch"},
    {"good", "xlocalhost", "ca", "hostname mismatch"},
    {"chain", "localhost", "ca", NULL},
    {"chain", "localhost", "intermediate", "unable to get issuer certificate"},
    {"incomplete", "localhost", "ca", "unable to get local issuer certificate"},
    {"expired", "localhost", "ca", "certificate has expired"},
    {"wrong-host", "localhost", "ca", "hostname mismatch"},
    {"wrong-host", "127.0.0.1", "ca", "IP address mismatch"},
    {"wrong-host", "192.0.2.1", "ca", NULL},
    {"no-name", "localhost", "ca", "hostname mismatch"},
    {"wildcard", "a.example.test", "ca", NULL},
    {"wildcard", "a.b.example.test", "ca", "hostname mismatch"},
    {"wildcard", "example.test", "ca", "hostname mismatch"},
    {"idn", "xn--bcher-kva.example", "ca", NULL},
    {"idn", "bcher.example", "ca", "hostname mismatch"},
    {"self-signed", "localhost", "ca", "self-signed certificate"},
    {"self-signed", "localhost", "self-signed", NULL},
    {"untrusted", "localhost", "ca", "unable to get local issuer certificate"},
    {"untrusted", "localhost", "other-ca", NULL},
    {"client", "localhost", "ca", "unsuitable certificate purpose"},
};

static void check_case(const struct trust_case *c)
{
    const struct tls_config config = {.ca_file = pki_file(c->ca)};
    struct tls_context *client = context_of(&config), *server = server_context(c->cert);
    struct tls_pair pair;
    pair_start(&pair, client, c->host, server);
    pair_run(&pair);
    print_message("%s for %s: %s\n", c->cert, c->host, tls_problem(pair.client.tls));
    assert_int_equal(is_open(&pair.client), !c->problem);
    assert_int_equal(is_open(&pair.server), !c->problem);
    assert_int_equal(tls_is_untrusted(pair.client.tls), c->problem != NULL);
    if (c->problem) {
        assert_int_equal(pair.client.err, UV_EPROTO);
        assert_non_null(strstr(tls_problem(pair.client.tls), c->problem));
        /* The server was told why. */
        assert_non_null(strstr(tls_problem(pair.server.tls), "alert"));
        assert_false(tls_is_untrusted(pair.server.tls));
    }
    pair_end(&pair);
    tls_context_free(client);
    tls_context_free(server);
}

static void test_trust(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof trust_cases / sizeof trust_cases[0]; i++)
        check_case(&trust_cases[i]);
}

static void test_unverified(void **state)
{
    static const char *const certs[] = {"expired", "wrong-host", "self-signed", "untrusted"};
    const struct tls_config config = {.unverified = true};
    struct tls_context *client = context_of(&config);
    (void)state;
    for (size_t i = 0; i < sizeof certs / sizeof certs[0]; i++) {
        struct tls_context *server = server_context(certs[i]);
        struct tls_pair pair;
        pair_start(&pair, client, "localhost", server);
        pair_run(&pair);
        assert_true(is_open(&pair.client) && is_open(&pair.server));
        pair_end(&pair);
        tls_context_free(server);
    }
    tls_context_free(client);
}

/* A server that wants to know its clients. */
static void test_mutual(void **state)
{
    static const struct {
        const char *cert, *problem;
    } cases[] = {
        {"client", NULL},
        {NULL, "peer did not return a certificate"},
        {"bad-client", "unable to get local issuer certificate"},
        {"good", NULL}, /* any purpose */
        {"no-name", "unsuitable certificate purpose"},
    };
    const struct tls_config wants = {.server = true,
        .cert_file = pki_file("good"),
        .key_file = pki_file("key"),
        .ca_file = pki_file("ca"),
        .wants_peer = true};
    struct tls_context *server = context_of(&wants);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct tls_config has = {.cert_file = pki_file(cases[i].cert),
            .key_file = pki_file("key"),
            .ca_file = pki_file("ca")};
        struct tls_context *client = context_of(&has);
        struct tls_pair pair;
        pair_start(&pair, client, "localhost", server);
        pair_run(&pair);
        print_message("%s\n", tls_problem(pair.server.tls));
        assert_int_equal(is_open(&pair.server), !cases[i].problem);
        assert_int_equal(is_open(&pair.client), !cases[i].problem);
        if (cases[i].problem) {
            assert_non_null(strstr(tls_problem(pair.server.tls), cases[i].problem));
            assert_non_null(strstr(tls_problem(pair.client.tls), "alert"));
            assert_false(tls_is_untrusted(pair.client.tls));
            assert_int_equal(tls_is_untrusted(pair.server.tls), cases[i].cert != NULL);
        }
        pair_end(&pair);
        tls_context_free(client);
    }
    tls_context_free(server);
}

/* Each sentence is one line that names the file and what is wrong with it. */
static void test_files(void **state)
{
    static const struct {
        const char *cert, *key, *ca, *words[2];
    } cases[] = {
        {"good", "key", "ca", {NULL}},
        {"good", "nowhere", NULL, {"nowhere.pem", "no such file"}},
        {"nowhere", "key", NULL, {"nowhere.pem", "no such file"}},
        {"good", "key", "nowhere", {"nowhere.pem", "no such file"}},
        {"good", "other-key", NULL, {"other-key.pem", "key values mismatch"}},
        {"good", "locked-key", NULL, {"locked-key.pem", "password"}},
        {"good", "good", NULL, {"good.pem", "no key"}},
        {"key", "key", NULL, {"key.pem", "no certificate"}},
        {"good", NULL, NULL, {"good.pem", "no key"}},
        {"good", "key", "key", {"key.pem", "no certificates"}},
        {"good", "key", "../../dev/null", {"null.pem", "no such file"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char why[TLS_WHY_MAX] = "";
        const struct tls_config config = {.server = true,
            .cert_file = pki_file(cases[i].cert),
            .key_file = pki_file(cases[i].key),
            .ca_file = pki_file(cases[i].ca)};
        struct tls_context *context = tls_context_new(&config, why);
        print_message("%s\n", why);
        assert_int_equal(context != NULL, !cases[i].words[0]);
        for (size_t w = 0; w < 2 && cases[i].words[w]; w++)
            assert_non_null(strstr(why, cases[i].words[w]));
        assert_null(strchr(why, '\n'));
        tls_context_free(context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),
        cmocka_unit_test(test_unverified),
        cmocka_unit_test(test_mutual),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, pki_make, pki_remove);
}
