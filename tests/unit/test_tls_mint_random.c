/*
 * Upstreams' certificates with bytes that are wrong: what comes of one is refused with a reason, or
 * a certificate that a client takes for the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mint_kit.h"
#include "mitm_proxy/tls_mint.h"
#include "tls_pair.h"

#define ROUNDS 3000
#define ROOM 8 /* bytes that a certificate may grow by */

static void mutate(unsigned char *bytes, size_t *len)
{
    size_t at = (size_t)rand() % *len, changes = 1 + (size_t)rand() % 3;
    switch (rand() % 4) {
    case 0: /* cut off */
        *len = at + 1;
        break;
    case 1: /* grown */
        memmove(bytes + at + 1, bytes + at, *len - at);
        (*len)++;
        break;
    default:
        while (changes-- > 0)
            bytes[(size_t)rand() % *len] = (unsigned char)rand();
    }
}

static void assert_taken(struct tls_context *client, struct tls_context *server)
{
    struct tls_pair pair;
    pair_start(&pair, client, "a.test", server);
    pair_run(&pair);
    assert_int_equal(tls_state(pair.client.tls), TLS_OPEN);
    pair_end(&pair);
}

static void test_wrong_bytes(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 10) : (unsigned int)time(NULL);
    print_message("SEED=%u\n", seed);
    srand(seed);
    char why[TLS_WHY_MAX];
    const struct tls_mint_config config = {.keep = 10};
    kit_make_ca("ca", NULL);
    struct tls_mint *mint = tls_mint_new(tls_ca_load(kit_path("ca"), why), &config, why);
    const struct tls_config trusting = {.ca_file = kit_path("ca/ca.pem")};
    struct tls_context *client = context_of(&trusting);
    struct slice good =
        kit_upstream("DNS:a.test,DNS:*.b.test,IP:10.0.0.1,IP:fd00::1,email:a@b.test", "Someone",
            time(NULL) + KIT_DAY);
    int refused = 0;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned char *bytes = malloc(good.len + ROOM);
        size_t len = good.len;
        assert_non_null(bytes);
        memcpy(bytes, good.data, len);
        mutate(bytes, &len);
        why[0] = '\0';
        struct tls_context *context =
            tls_mint_context(mint, slice_str("a.test"), slice_of((const char *)bytes, len), why);
        free(bytes);
        assert_true(context || why[0]);
        if (context)
            assert_taken(client, context);
        refused += !context;
        tls_context_free(context);
    }
    print_message("%d of %d were refused\n", refused, ROUNDS);
    tls_context_free(client);
    tls_mint_free(mint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wrong_bytes, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
