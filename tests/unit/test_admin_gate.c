/* Which requests the admin port answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mitm_proxy/admin_gate.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TOKEN "0123456789abcdef"

struct gate_case {
    const char *listen, *token;
    bool changes;
    const char *fields;
    const char *word; /* NULL: it gets in */
};

#define LOCAL "127.0.0.1:8081", NULL, false
#define ALL "0.0.0.0:8081", TOKEN, false
#define ADDRESS "192.0.2.1:8081", TOKEN, false
#define POSTED "127.0.0.1:8081", NULL, true

#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static const struct gate_case cases[] = {
    {LOCAL, "Host: 127.0.0.1:8081\r\n", NULL},
    {LOCAL, "Host: 127.0.0.1\r\n", NULL},
    {LOCAL, "Host: 127.8.9.10:1\r\n", NULL},
    {LOCAL, "Host: localhost:8081\r\n", NULL},
    {LOCAL, "Host: LOCALHOST\r\n", NULL},
    {LOCAL, "Host: [::1]:8081\r\n", NULL},
    {LOCAL, "Host: [::ffff:127.0.0.1]:8081\r\n", NULL},
    {LOCAL, "Host: metrics.test\r\n", NULL},
    {LOCAL, "Host: Metrics.Test:9\r\n", NULL},
    {LOCAL, "Host: [2001:db8:0::7]\r\n", NULL},
    {LOCAL, "Host: rebound.test:8081\r\n", "host_not_allowed"},
    {LOCAL, "Host: localhost.rebound.test\r\n", "host_not_allowed"},
    {LOCAL, "Host: 127.0.0.1.rebound.test\r\n", "host_not_allowed"},
    {LOCAL, "Host: 128.0.0.1\r\n", "host_not_allowed"},
    {LOCAL, "Host: 192.0.2.1\r\n", "host_not_allowed"},
    {LOCAL, "Host: [::2]\r\n", "host_not_allowed"},
    {LOCAL, "Host: \r\n", "host_not_allowed"},
    {LOCAL, "", "host_not_allowed"},
    {ADDRESS, BEARER "Host: 192.0.2.1:8081\r\n", NULL},
    {ADDRESS, BEARER "Host: 192.0.2.2:8081\r\n", "host_not_allowed"},
    {ALL, BEARER "Host: 192.0.2.2:8081\r\n", NULL},
    {ALL, BEARER "Host: [2001:db8::9]\r\n", NULL},
    {ALL, BEARER "Host: rebound.test\r\n", "host_not_allowed"},
    {ALL, "Host: localhost\r\nAuthorization: bearer  " TOKEN "\r\n", NULL},
    {ALL, "Host: localhost\r\n", "token_required"},
    {ALL, "Host: localhost\r\nAuthorization: Bearer\r\n", "token_required"},
    {ALL, "Host: localhost\r\nAuthorization: Bearer 0123456789abcdeg\r\n", "token_required"},
    {ALL, "Host: localhost\r\nAuthorization: Bearer 0123456789abcde\r\n", "token_required"},
    {ALL, "Host: localhost\r\nAuthorization: Bearer " TOKEN ", x\r\n", "token_required"},
    {ALL, "Host: localhost\r\nAuthorization: " TOKEN "\r\n", "token_required"},
    {LOCAL, "Host: localhost:8081\r\nOrigin: http://localhost:8081\r\n", NULL},
    {LOCAL, "Host: localhost:8081\r\nOrigin: http://localhost\r\n", "origin_not_allowed"},
    {LOCAL, "Host: localhost:8081\r\nOrigin: http://127.0.0.1:8081\r\n", "origin_not_allowed"},
    {LOCAL, "Host: localhost:8081\r\nOrigin: https://localhost:8081\r\n", "origin_not_allowed"},
    {LOCAL, "Host: localhost:8081\r\nOrigin: null\r\n", "origin_not_allowed"},
    {LOCAL, "Host: localhost:8081\r\nOrigin:\r\n", "origin_not_allowed"},
    {LOCAL, "Host: localhost\r\nOrigin: http://localhost\r\nORIGIN: http://page.test\r\n",
        "origin_not_allowed"},
    {POSTED, "Host: localhost\r\n", "not_json"},
    {POSTED, "Host: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n", "not_json"},
    {POSTED, "Host: localhost\r\nContent-Type: text/plain; a=application/json\r\n", "not_json"},
    {POSTED, "Host: localhost\r\nContent-Type: application/jsonp\r\n", "not_json"},
    {POSTED, "Host: localhost\r\nContent-Type: application/json\r\n", NULL},
    {POSTED, "Host: localhost\r\nContent-Type: Application/JSON; charset=utf-8\r\n", NULL},
    {"0.0.0.0:8081", TOKEN, true, BEARER "Host: localhost\r\n", NULL},
};

static void check_case(const struct gate_case *c)
{
    static struct http_field fields[HTTP_FIELDS_MAX];
    struct admin_gate gate = {
        .hosts = {.items = {"metrics.test", "2001:db8::7"}, .count = 2}, .token = c->token};
    struct http_problem problem = {0};
    struct http_head head;
    const char *why;
    char text[512];
    assert_int_equal(hostport_parse(&gate.listen, c->listen, &why), 0);
    /* HTTP/1.0 may come without a Host. */
    snprintf(text, sizeof text, "GET /healthz HTTP/1.%d\r\n%s\r\n", *c->fields ? 1 : 0, c->fields);
    assert_true(http_head_read(&head, HTTP_KIND_REQUEST, slice_str(text), fields, &problem));
    bool in = admin_gate_admits(&gate, &head, c->changes, &problem);
    if (in != !c->word || (c->word && strcmp(problem.word, c->word) != 0))
        fail_msg("%s wanted %s, got %s", text, c->word ? c->word : "in", in ? "in" : problem.word);
}

static void requests_get_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_case(&cases[i]);
}

static void this_machine(void **state)
{
    static const char *const local[] = {
        "127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "localhost"};
    static const char *const others[] = {"0.0.0.0", "::", "10.0.0.1", "2001:db8::1", "agent-b",
        "::ffff:10.0.0.1", "localhost.test", "126.0.0.1"};
    struct hostport where = {.port = 1};
    (void)state;
    for (size_t i = 0; i < COUNT(local); i++) {
        snprintf(where.host, sizeof where.host, "%s", local[i]);
        assert_true(admin_gate_is_local(&where));
    }
    for (size_t i = 0; i < COUNT(others); i++) {
        snprintf(where.host, sizeof where.host, "%s", others[i]);
        assert_false(admin_gate_is_local(&where));
    }
}

static void tokens(void **state)
{
    char text[ADMIN_TOKEN_MAX + 2];
    (void)state;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_non_null(admin_gate_token_fault(text));
    text[ADMIN_TOKEN_MAX] = '\0';
    assert_null(admin_gate_token_fault(text));
    text[ADMIN_TOKEN_MIN] = '\0';
    assert_null(admin_gate_token_fault(text));
    text[ADMIN_TOKEN_MIN - 1] = '\0';
    assert_non_null(admin_gate_token_fault(text));
    assert_null(admin_gate_token_fault("AZaz09-._~+/=AZaz09"));
    assert_non_null(admin_gate_token_fault("0123456789abcdef\n"));
    assert_non_null(admin_gate_token_fault("0123456789abcdef\xc3\xa9"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_get_in),
        cmocka_unit_test(this_machine),
        cmocka_unit_test(tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
