/* What is hidden of heads and JSON texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/redact.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct mask_case {
    const char *text, *masked;
};

static const struct redact hidden = {
    .more = {.items = {"X-Key", "/a/b", "/list/1", "/m~1n~0o"}, .count = 4}};
static const struct redact usual = {.off = false};
static const struct redact off = {.more = {.items = {"/a"}, .count = 1}, .off = true};

static void check(const struct mask_case *c, const struct redact *redact,
    void (*mask)(const struct redact *redact, char *text, size_t len))
{
    char text[256];
    snprintf(text, sizeof text, "%s", c->text);
    mask(redact, text, strlen(text));
    assert_string_equal(text, c->masked);
}

static void heads(void **state)
{
    static const struct mask_case cases[] = {
        {"", ""},
        {"GET /?Cookie:x HTTP/1.1\r\nHost: a:1\r\n\r\n",
            "GET /?Cookie:x HTTP/1.1\r\nHost: a:1\r\n\r\n"},
        {"Authorization: Basic YTpi\r\nX: y\r\n", "Authorization: ***** ****\r\nX: y\r\n"},
        {"cookie:a=b; c=\"d\"\r\nSET-COOKIE : e\r\n", "cookie:**** *****\r\nSET-COOKIE : *\r\n"},
        {"Proxy-Authorization: a\r\n b\tc\r\nX: d", "Proxy-Authorization: *\r\n *\t*\r\nX: d"},
        {"x-key: a:b", "x-key: ***"},
        {"X-Keys: a\nAuthorization2: b\n", "X-Keys: a\nAuthorization2: b\n"},
        {"GET / HTTP/1.1\r\n Cookie: a\r\n b: c\r\n", "GET / HTTP/1.1\r\n Cookie: *\r\n ** *\r\n"},
        {"X: y\rCookie: a\r b\rZ: c\r", "X: y\rCookie: *\r *\rZ: c\r"},
        {"no colon\r\nCookie: a\r\n\r\nrest", "no colon\r\nCookie: *\r\n\r\nrest"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check(&cases[i], &hidden, redact_mask_head);
    check(&(struct mask_case){"X-Key: a\nCookie: b", "X-Key: a\nCookie: *"}, &usual,
        redact_mask_head);
    check(&(struct mask_case){"Cookie: b", "Cookie: b"}, &off, redact_mask_head);
}

static void texts(void **state)
{
    static const struct mask_case cases[] = {
        {"", ""},
        {"{\"a\":{\"b\":\"xyz\",\"c\":1}}", "{\"a\":{\"b\":*****,\"c\":1}}"},
        {" {\"a\": {\"b\": {\"x\": [1]}}}\n", " {\"a\": {\"b\": **********}}\n"},
        {"{\"a\":{\"b\":1,\"b\":22},\"a\":{\"\\u0062\":3}}",
            "{\"a\":{\"b\":*,\"b\":**},\"a\":{\"\\u0062\":*}}"},
        {"{\"list\":[1,22,3],\"b\":2}", "{\"list\":[1,**,3],\"b\":2}"},
        {"{\"m/n~o\":true}", "{\"m/n~o\":****}"},
        {"{\"a\":1,\"list\":{\"1\":2}}", "{\"a\":1,\"list\":{\"1\":*}}"},
        {"[1]", "[1]"},
        {"{\"a\":{\"b\":\"xyz", "**************"}, /* it may be in there */
        {"plain", "*****"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check(&cases[i], &hidden, redact_mask_json);
    check(&(struct mask_case){"plain", "plain"}, &usual, redact_mask_json);
    check(&(struct mask_case){"{\"a\":1}", "{\"a\":1}"}, &off, redact_mask_json);
}

static void pointers(void **state)
{
    static const char *const hides[] = {"", "/a", "/a/b", "/a/b/c", "/list", "/list/1/x"};
    static const char *const shows[] = {"/b", "/a/c", "/a/bc", "/list/10", "/list/2"};
    (void)state;
    for (size_t i = 0; i < COUNT(hides); i++)
        assert_true(redact_hides_value(&hidden, slice_str(hides[i])));
    for (size_t i = 0; i < COUNT(shows); i++)
        assert_false(redact_hides_value(&hidden, slice_str(shows[i])));
    assert_false(redact_hides_value(&usual, slice_str("")));
    assert_false(redact_hides_value(&off, slice_str("/a")));
}

static void items(void **state)
{
    static const char *const good[] = {"/", "/a b", "/a~0~1", "X-Key", "a"};
    static const char *const bad[] = {"", "a b", "a:", "a/b", "/a~", "/~2"};
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_null(redact_fault(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(redact_fault(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(texts),
        cmocka_unit_test(pointers),
        cmocka_unit_test(items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
