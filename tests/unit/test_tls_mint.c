/* Contexts for any host: what their certificates say, how long they are kept, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/buf.h"
#include "lib/tls_private.h"
#include "mint_kit.h"
#include "mitm_proxy/tls_certificate.h"
#include "mitm_proxy/tls_mint.h"
#include "scarce_memory.h"
#include "tls_pair.h"

#define NONE slice_of(NULL, 0)
#define LABEL_60 "a23456789012345678901234567890123456789012345678901234567890"

static char why[TLS_WHY_MAX];

static struct tls_mint *mint_of(const char *const *permits, size_t keep)
{
    const struct tls_mint_config config = {.keep = keep};
    kit_make_ca("ca", permits);
    struct tls_ca *ca = tls_ca_load(kit_path("ca"), why);
    struct tls_mint *mint = ca ? tls_mint_new(ca, &config, why) : NULL;
    if (!mint)
        fail_msg("%s", why);
    return mint;
}

static struct tls_context *context_for(
    struct tls_mint *mint, const char *host, struct slice upstream)
{
    struct tls_context *context = tls_mint_context(mint, slice_str(host), upstream, why);
    if (!context)
        fail_msg("%s", why);
    return context;
}

static X509 *leaf_of(const struct tls_context *context)
{
    return SSL_CTX_get0_certificate(context->ssl);
}

/* As x509(1) prints it, without spaces at its ends. */
static const char *extension(X509 *leaf, int nid)
{
    static char text[8192];
    char *data;
    BIO *out = BIO_new(BIO_s_mem());
    int place = X509_get_ext_by_NID(leaf, nid, -1);
    assert_int_not_equal(place, -1);
    assert_int_equal(X509V3_EXT_print(out, X509_get_ext(leaf, place), 0, 0), 1);
    long len = BIO_get_mem_data(out, &data);
    snprintf(text, sizeof text, "%.*s", (int)len, data);
    BIO_free(out);
    return text;
}

static bool is_critical(X509 *leaf, int nid)
{
    return X509_EXTENSION_get_critical(X509_get_ext(leaf, X509_get_ext_by_NID(leaf, nid, -1)));
}

/* "" where there is none. */
static const char *common_name(X509 *leaf)
{
    static char text[512];
    text[0] = '\0';
    X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, text, sizeof text);
    return text;
}

static struct tls_context *client_that_trusts(const char *ca)
{
    const struct tls_config config = {.ca_file = kit_path(ca)};
    return context_of(&config);
}

/* Whether a client that expects HOST and trusts the CA gets through to SERVER. */
static bool is_taken(struct tls_context *server, const char *host)
{
    struct tls_pair pair;
    struct tls_context *client = client_that_trusts("ca/ca.pem");
    pair_start(&pair, client, host, server);
    pair_run(&pair);
    bool taken = tls_state(pair.client.tls) == TLS_OPEN && tls_state(pair.server.tls) == TLS_OPEN;
    pair_end(&pair);
    tls_context_free(client);
    return taken;
}

struct leaf_case {
    const char *permits[3];
    const char *host, *names, *common_name; /* NAMES and COMMON_NAME are the upstream's */
    bool has_upstream;
    const char *got_names, *got_common_name;
};

static const struct leaf_case leaves[] = {
    {{0}, "agent-b", NULL, NULL, false, "DNS:agent-b", "agent-b"},
    {{0}, "Agent-B.Example.test.", NULL, NULL, false, "DNS:agent-b.example.test",
        "agent-b.example.test"},
    {{0}, "xn--bcher-kva.example", NULL, NULL, false, "DNS:xn--bcher-kva.example",
        "xn--bcher-kva.example"},
    {{0}, "127.0.0.1", NULL, NULL, false, "IP Address:127.0.0.1", ""},
    {{0}, "::1", NULL, NULL, false, "IP Address:0:0:0:0:0:0:0:1", ""},
    {{0}, LABEL_60 ".test", NULL, NULL, false, "DNS:" LABEL_60 ".test", ""},
    {{0}, LABEL_60 "." LABEL_60 "." LABEL_60 ".test", NULL, NULL, false,
        "DNS:" LABEL_60 "." LABEL_60 "." LABEL_60 ".test", ""},
    /* An upstream's */
    {{0}, "a.test", "DNS:a.test,DNS:b.test,IP:10.0.0.1", "Prüfstelle", true,
        "DNS:a.test, DNS:b.test, IP Address:10.0.0.1",
        "Pr\xc3\xbc"
        "fstelle"},
    {{0}, "a.test", "DNS:a.test", NULL, true, "DNS:a.test", ""},
    {{0}, "b.a.test", "DNS:*.a.test,URI:https://a.test/", "a", true,
        "DNS:*.a.test, URI:https://a.test/", "a"},
    {{0}, "10.0.0.1", "IP:10.0.0.1,IP:fd00::1", "x", true,
        "IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1", "x"},
    /* … that is not for the host */
    {{0}, "proxy", "DNS:a.test", "a.test", true, "DNS:a.test, DNS:proxy", "a.test"},
    {{0}, "10.0.0.2", "DNS:a.test,IP:10.0.0.1", "a", true,
        "DNS:a.test, IP Address:10.0.0.1, IP Address:10.0.0.2", "a"},
    {{0}, "c.b.a.test", "DNS:*.a.test", "a", true, "DNS:*.a.test, DNS:c.b.a.test", "a"},
    {{0}, "a.test", NULL, "a.test", true, "DNS:a.test", "a.test"},
    /* Name constraints */
    {{"a.test"}, "b.a.test", NULL, NULL, false, "DNS:b.a.test", "b.a.test"},
    {{"a.test"}, "a.test", "DNS:a.test,DNS:b.a.test", "B", true, "DNS:a.test, DNS:b.a.test", "B"},
    {{"a.test"}, "a.test", "DNS:a.test,DNS:b.test", "B", true, "DNS:a.test", "a.test"},
    {{"a.test"}, "a.test", "DNS:a.test,IP:10.0.0.1", "B", true, "DNS:a.test", "a.test"},
    {{"a.test", "10.0.0.0/8"}, "10.2.3.4", NULL, NULL, false, "IP Address:10.2.3.4", ""},
    {{"a.test", "10.0.0.0/8"}, "10.2.3.4", "IP:10.2.3.4,DNS:b.test", "10.2.3.4", true,
        "IP Address:10.2.3.4", ""},
    {{"fd00::/8"}, "fd00::1", NULL, NULL, false, "IP Address:FD00:0:0:0:0:0:0:1", ""},
    {{"a.test"}, "b.test", NULL, NULL, false, NULL, NULL},
    {{"a.test"}, "nota.test", NULL, NULL, false, NULL, NULL},
    {{"a.test"}, "10.0.0.1", NULL, NULL, false, NULL, NULL},
    {{"a.test"}, "b.test", "DNS:a.test", "a.test", true, NULL, NULL},
    {{"10.0.0.0/8"}, "11.0.0.1", NULL, NULL, false, NULL, NULL},
    {{"10.0.0.0/8"}, "fd00::1", NULL, NULL, false, NULL, NULL},
    {{"10.0.0.0/8"}, "a.test", NULL, NULL, false, NULL, NULL},
};

static void check_leaf(const struct leaf_case *c, struct tls_mint *mint, struct slice upstream)
{
    struct tls_context *context = tls_mint_context(mint, slice_str(c->host), upstream, why);
    if (!c->got_names) {
        print_message("%s\n", why);
        assert_null(context);
        assert_non_null(strstr(why, "the CA cannot stand for"));
        return;
    }
    assert_non_null(context);
    X509 *leaf = leaf_of(context);
    assert_string_equal(extension(leaf, NID_subject_alt_name), c->got_names);
    assert_string_equal(common_name(leaf), c->got_common_name);
    assert_int_equal(is_critical(leaf, NID_subject_alt_name), c->got_common_name[0] == '\0');
    assert_true(is_taken(context, c->host));
    assert_false(is_taken(context, "elsewhere.example"));
    tls_context_free(context);
}

static void test_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        const struct leaf_case *c = &leaves[i];
        print_message("%s\n", c->host);
        kit_setup(NULL);
        struct tls_mint *mint = mint_of(c->permits, 0);
        struct slice upstream = NONE;
        if (c->has_upstream)
            upstream = kit_upstream(c->names, c->common_name, time(NULL) + KIT_DAY);
        check_leaf(c, mint, upstream);
        tls_mint_free(mint);
        kit_teardown(NULL);
    }
}

static void test_what_a_leaf_is(void **state)
{
    (void)state;
    struct tls_mint *mint = mint_of(NULL, 0);
    struct tls_context *one = context_for(mint, "one.test", NONE);
    struct tls_context *two = context_for(mint, "two.test", NONE);
    X509 *leaf = leaf_of(one);
    assert_string_equal(extension(leaf, NID_basic_constraints), "CA:FALSE");
    assert_string_equal(extension(leaf, NID_key_usage), "Digital Signature");
    assert_string_equal(extension(leaf, NID_ext_key_usage), "TLS Web Server Authentication");
    assert_true(is_critical(leaf, NID_basic_constraints) && is_critical(leaf, NID_key_usage));
    assert_non_null(X509_get0_subject_key_id(leaf));
    assert_non_null(X509_get0_authority_key_id(leaf));
    assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(leaf)), 16);
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf), X509_get0_serialNumber(leaf_of(two))), 0);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(leaf), X509_get0_pubkey(leaf_of(two))), 1);
    tls_context_free(one);
    tls_context_free(two);
    tls_mint_free(mint);
}

/* Days from now. */
static long starts(const struct tls_context *context)
{
    return (tls_time(X509_get0_notBefore(leaf_of(context))) - time(NULL) - KIT_DAY / 2) / KIT_DAY;
}

static long ends(const struct tls_context *context)
{
    return (tls_time(X509_get0_notAfter(leaf_of(context))) - time(NULL) + KIT_DAY / 2) / KIT_DAY;
}

static void test_how_long_a_leaf_is_good(void **state)
{
    (void)state;
    static const struct {
        long upstream, later, end; /* days; an upstream of 0: none */
    } cases[] = {
        {0, 0, 396},
        {30, 0, 30},
        {1000, 0, 396},
        {-30, 0, 396}, /* it has ended: who takes it all the same is not to be kept from it */
        {0, 3600, 52}, /* the CA's end */
        {3700, 3600, 52},
    };
    struct tls_mint *mint = mint_of(NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kit_shift = cases[i].later * KIT_DAY;
        struct slice upstream = NONE;
        if (cases[i].upstream)
            upstream = kit_upstream(
                "DNS:a.test", NULL, time(NULL) - kit_shift + cases[i].upstream * KIT_DAY);
        struct tls_context *context = context_for(mint, "a.test", upstream);
        assert_int_equal(starts(context), -1);
        assert_in_range(ends(context), cases[i].end - 1, cases[i].end);
        tls_context_free(context);
    }
    tls_mint_free(mint);
}

static void test_kept_by_host_and_upstream(void **state)
{
    (void)state;
    struct tls_mint *mint = mint_of(NULL, 0);
    time_t end = time(NULL) + KIT_DAY;
    struct tls_context *plain = context_for(mint, "a.test", NONE);
    struct tls_context *again = context_for(mint, "A.test.", NONE);
    struct tls_context *other = context_for(mint, "b.test", NONE);
    assert_ptr_equal(plain, again);
    assert_ptr_not_equal(plain, other);
    struct slice upstream = kit_upstream("DNS:a.test", "a", end);
    struct tls_context *first = context_for(mint, "a.test", upstream);
    struct tls_context *same = context_for(mint, "a.test", upstream);
    struct tls_context *new = context_for(mint, "a.test", kit_upstream("DNS:a.test", "a", end));
    assert_ptr_not_equal(plain, first);
    assert_ptr_equal(first, same);
    assert_ptr_not_equal(first, new);
    assert_int_equal(tls_mint_counts(mint).kept, 4);
    assert_int_equal(tls_mint_counts(mint).made, 4);
    struct tls_context *all[] = {plain, again, other, first, same, new};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tls_context_free(all[i]);
    tls_mint_free(mint);
}

/* Whether HOST had to be made anew. */
static bool is_new(struct tls_mint *mint, const char *host)
{
    unsigned long long before = tls_mint_counts(mint).made;
    tls_context_free(context_for(mint, host, NONE));
    return tls_mint_counts(mint).made > before;
}

static void test_the_ones_used_last_are_kept(void **state)
{
    (void)state;
    struct tls_mint *mint = mint_of(NULL, 3);
    assert_true(is_new(mint, "a") && is_new(mint, "b") && is_new(mint, "c"));
    assert_false(is_new(mint, "a"));
    assert_true(is_new(mint, "d")); /* b goes */
    assert_false(is_new(mint, "a") || is_new(mint, "c") || is_new(mint, "d"));
    assert_true(is_new(mint, "b")); /* a goes */
    assert_true(is_new(mint, "a"));
    assert_int_equal(tls_mint_counts(mint).kept, 3);
    tls_mint_free(mint);
    kit_teardown(NULL);
    kit_setup(NULL);
    mint = mint_of(NULL, 1);
    assert_true(is_new(mint, "a") && is_new(mint, "b") && is_new(mint, "a"));
    assert_false(is_new(mint, "a"));
    tls_mint_free(mint);
}

static void test_made_again_at_its_end(void **state)
{
    (void)state;
    struct tls_mint *mint = mint_of(NULL, 0);
    assert_true(is_new(mint, "a"));
    kit_shift = 395 * KIT_DAY;
    assert_false(is_new(mint, "a"));
    kit_shift = 397 * KIT_DAY;
    assert_true(is_new(mint, "a"));
    assert_int_equal(tls_mint_counts(mint).kept, 1);
    kit_shift = 3653 * KIT_DAY;
    assert_null(tls_mint_context(mint, slice_str("a"), NONE, why));
    assert_non_null(strstr(why, "the CA expired on"));
    tls_mint_free(mint);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static char big[TLS_MINT_UPSTREAM_MAX + 1];
    struct tls_mint *mint = mint_of(NULL, 0);
    static const char *const hosts[] = {"*", "*.test", "", "b\xc3\xbc.test", "a b", "a\n"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        assert_null(tls_mint_context(mint, slice_str(hosts[i]), NONE, why));
        assert_non_null(strstr(why, "no host name"));
    }
    assert_null(tls_mint_context(mint, slice_str("a"), slice_str("no certificate"), why));
    assert_non_null(strstr(why, "the upstream's certificate"));
    assert_null(tls_mint_context(mint, slice_str("a"), slice_of(big, sizeof big), why));
    struct slice upstream = kit_upstream("DNS:a", "a", time(NULL) + KIT_DAY);
    for (size_t len = 1; len < upstream.len; len++)
        assert_null(tls_mint_context(mint, slice_str("a"), slice_of(upstream.data, len), why));
    assert_int_equal(tls_mint_counts(mint).made, 0);
    assert_int_equal(ERR_peek_error(), 0);
    tls_mint_free(mint);
}

static void test_contexts_outlive_the_mint(void **state)
{
    (void)state;
    struct tls_mint *mint = mint_of(NULL, 0);
    struct tls_context *context = context_for(mint, "a.test", NONE);
    tls_mint_free(mint);
    assert_true(is_taken(context, "a.test"));
    tls_context_free(context);
}

static void test_resumed(void **state)
{
    struct tls_pair pair;
    (void)state;
    struct tls_mint *mint = mint_of(NULL, 0);
    struct tls_context *client = client_that_trusts("ca/ca.pem");
    for (int i = 0; i < 3; i++) {
        struct tls_context *server = context_for(mint, "a.test", NONE);
        pair_start(&pair, client, "a.test", server);
        pair_run(&pair);
        assert_int_equal(tls_was_resumed(pair.client.tls), i > 0);
        pair_end(&pair);
        tls_context_free(server);
    }
    tls_context_free(client);
    tls_mint_free(mint);
}

/* OpenSSL has its own: see test_tls_mint_memory. */
static void test_no_memory(void **state)
{
    const struct tls_mint_config config = {0};
    (void)state;
    kit_make_ca("ca", NULL);
    int count = 0;
    for (bool done = false; !done; count++) {
        struct tls_context *context = NULL;
        why[0] = '\0';
        scarce_memory(count);
        struct tls_ca *ca = tls_ca_load(kit_path("ca"), why);
        struct tls_mint *mint = ca ? tls_mint_new(ca, &config, why) : NULL;
        if (mint)
            context = tls_mint_context(mint, slice_str("a"), NONE, why);
        scarce_memory(-1);
        done = mint && tls_mint_counts(mint).kept == 1;
        assert_true(context || why[0]);
        tls_context_free(context);
        tls_mint_free(mint);
    }
    assert_in_range(count, 5, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves),
        cmocka_unit_test_setup_teardown(test_what_a_leaf_is, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_how_long_a_leaf_is_good, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_kept_by_host_and_upstream, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_the_ones_used_last_are_kept, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_made_again_at_its_end, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_refused, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_contexts_outlive_the_mint, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_resumed, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
