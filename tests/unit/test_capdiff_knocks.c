/* knocks.h: what is kept of connections that were opened, and silent for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capturer/capdiff/knocks.h"

#define MANY 400000u

static struct endpoint client_of(uint32_t number)
{
    struct endpoint end = {.port = (uint16_t)(number % 50000 + 10000)};

    end.address[0] = 10;
    end.address[3] = (uint8_t)(number / 50000);
    return end;
}

/* All of them come back, those that were forgotten in between others that came back as well. */
static void test_many(void **state)
{
    const struct endpoint server = {.port = 8080};
    struct knocks *knocks = knocks_new();
    struct knock knock = {.has_isn = {true, true}};
    bool from_client;

    (void)state;
    for (uint32_t i = 0; i < 2 * MANY; i++) {
        struct endpoint client = client_of(i % MANY);

        if (i >= MANY) {
            assert_true(knocks_take(knocks, &server, &client, &knock, &from_client));
            assert_int_equal(knock.isn[0], i - MANY);
            assert_false(from_client);
        }
        knock.isn[0] = i;
        knocks_put(knocks, &client, &server, &knock);
    }
    knocks_free(knocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
