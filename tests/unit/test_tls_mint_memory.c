/* Contexts for any host: how much memory they hold, and what happens when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include "lib/buf.h"
#include "mint_kit.h"
#include "mitm_proxy/tls_mint.h"
#include "scarce_memory.h"
#include "tls_pair.h"

#define KEEP 100
#define HOSTS 10000
#define FIRST 100
#define STEP 23

static char why[TLS_WHY_MAX];
static size_t held; /* bytes that OpenSSL has */

/* So that OpenSSL's memory is scarce when ours is. */
static void *openssl_malloc(size_t size, const char *file, int line)
{
    void *new = malloc(size);
    (void)file;
    (void)line;
    held += malloc_usable_size(new);
    return new;
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    size_t before = malloc_usable_size(old);
    void *new = realloc(old, size);
    (void)file;
    (void)line;
    if (new)
        held += malloc_usable_size(new) - before;
    return new;
}

static void openssl_free(void *old, const char *file, int line)
{
    (void)file;
    (void)line;
    held -= malloc_usable_size(old);
    free(old);
}

static struct tls_mint *mint_new(size_t keep)
{
    const struct tls_mint_config config = {.keep = keep};
    struct tls_ca *ca = tls_ca_load(kit_path("ca"), why);
    return ca ? tls_mint_new(ca, &config, why) : NULL;
}

static void shake_hands(struct tls_context *client, struct tls_context *server, const char *host)
{
    struct tls_pair pair;
    pair_start(&pair, client, host, server);
    pair_run(&pair);
    assert_int_equal(tls_state(pair.client.tls), TLS_OPEN);
    pair_end(&pair);
}

static void test_flat(void **state)
{
    const struct tls_config config = {.ca_file = kit_path("ca/ca.pem")};
    size_t early = 0;
    (void)state;
    kit_make_ca("ca", NULL);
    struct tls_mint *mint = mint_new(KEEP);
    struct tls_context *client = context_of(&config);
    for (int i = 0; i < HOSTS; i++) {
        char host[64];
        snprintf(host, sizeof host, "host-%05d.example.test", i);
        struct tls_context *context =
            tls_mint_context(mint, slice_str(host), slice_of(NULL, 0), why);
        assert_non_null(context);
        if (i < 2 * KEEP || i % 50 == 0) /* the client keeps sessions, too: until it has all */
            shake_hands(client, context, host);
        tls_context_free(context);
        if (i == 2 * KEEP)
            early = held;
    }
    print_message("%zu bytes after %d hosts, %zu after %d\n", early, 2 * KEEP, held, HOSTS);
    assert_true(held < early + early / 20);
    assert_int_equal(tls_mint_counts(mint).kept, KEEP);
    assert_int_equal(tls_mint_counts(mint).made, HOSTS);
    tls_context_free(client);
    tls_mint_free(mint);
}

/* Whether a context came about; everything is freed again. */
static bool try_all(struct slice upstream)
{
    struct tls_mint *mint = mint_new(KEEP);
    struct tls_context *context =
        mint ? tls_mint_context(mint, slice_str("a.test"), upstream, why) : NULL;
    bool done = context != NULL;
    tls_context_free(context);
    tls_mint_free(mint);
    return done;
}

/* Some thousand allocations: each of the first, then one in STEP. */
static void test_no_memory(void **state)
{
    (void)state;
    kit_make_ca("ca", NULL);
    struct slice upstream = kit_upstream("DNS:a.test,DNS:b.test", "a", time(NULL) + KIT_DAY);
    assert_true(try_all(upstream)); /* what is made only once is there */
    long count = 0;
    for (bool done = false; !done; count += count < FIRST ? 1 : STEP) {
        why[0] = '\0';
        scarce_memory(count);
        done = try_all(upstream);
        scarce_memory(-1);
        assert_true(done || why[0]);
    }
    assert_in_range(count, 1000, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flat, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, kit_setup, kit_teardown),
    };
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
