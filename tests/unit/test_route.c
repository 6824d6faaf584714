/* Where requests to a forward proxy go, and what of them the origin gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mitm_proxy/route.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define TEN "aaaaaaaaa."
#define HOST_250                                                                                   \
    TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN    \
        TEN TEN

struct target_case {
    const char *target;
    const char *host; /* NULL: there is none */
    unsigned port;
    bool tls;
    const char *authority, *path;
};

static const struct target_case absolutes[] = {
    {"http://agent-b/tool", "agent-b", 80, false, "agent-b", "/tool"},
    {"http://agent-b:8000/tool?a=http://b/#", "agent-b", 8000, false, "agent-b:8000",
        "/tool?a=http://b/#"},
    {"https://agent-b/", "agent-b", 443, true, "agent-b", "/"},
    {"HTTPS://Agent-B:8443/", "Agent-B", 8443, true, "Agent-B:8443", "/"},
    {"http://agent-b", "agent-b", 80, false, "agent-b", ""},
    {"http://agent-b:80", "agent-b", 80, false, "agent-b:80", ""},
    {"http://agent-b?q=/", "agent-b", 80, false, "agent-b", "?q=/"},
    {"http://127.0.0.1:1/", "127.0.0.1", 1, false, "127.0.0.1:1", "/"},
    {"http://[::1]:8000/x", "::1", 8000, false, "[::1]:8000", "/x"},
    {"http://[2001:db8::1]", "2001:db8::1", 80, false, "[2001:db8::1]", ""},
    {"http://" HOST_250 "/", HOST_250, 80, false, HOST_250, "/"},
    {"http://" HOST_250 TEN "/", NULL, 0, false, NULL, NULL},
    {"http://user@agent-b/", NULL, 0, false, NULL, NULL},
    {"http://user:word@agent-b:80/", NULL, 0, false, NULL, NULL},
    {"http://agent-b#part", NULL, 0, false, NULL, NULL},
    {"http://agent-b:0/", NULL, 0, false, NULL, NULL},
    {"http://agent-b:65536/", NULL, 0, false, NULL, NULL},
    {"http://agent-b:+80/", NULL, 0, false, NULL, NULL},
    {"http://agent-b:/", NULL, 0, false, NULL, NULL},
    {"http://::1/", NULL, 0, false, NULL, NULL},
    {"http://[::1/", NULL, 0, false, NULL, NULL},
    {"http://[agent-b]/", NULL, 0, false, NULL, NULL},
    {"http:///tool", NULL, 0, false, NULL, NULL},
    {"http://:80/", NULL, 0, false, NULL, NULL},
    {"http://a*b/", NULL, 0, false, NULL, NULL},
    {"ftp://agent-b/", NULL, 0, false, NULL, NULL},
    {"xhttp://agent-b/", NULL, 0, false, NULL, NULL},
    {"/tool?to=http://agent-b/", NULL, 0, false, NULL, NULL},
    {"http:/agent-b/", NULL, 0, false, NULL, NULL},
    {"agent-b:80", NULL, 0, false, NULL, NULL},
    {"*", NULL, 0, false, NULL, NULL},
    {"/", NULL, 0, false, NULL, NULL},
    {"", NULL, 0, false, NULL, NULL},
    {"://", NULL, 0, false, NULL, NULL},
};

static const struct target_case connects[] = {
    {"agent-b:443", "agent-b", 443, false, "agent-b:443", NULL},
    {"127.0.0.1:1", "127.0.0.1", 1, false, "127.0.0.1:1", NULL},
    {"[::1]:65535", "::1", 65535, false, "[::1]:65535", NULL},
    {HOST_250 ":65535", HOST_250, 65535, false, HOST_250 ":65535", NULL},
    {HOST_250 TEN ":443", NULL, 0, false, NULL, NULL},
    {HOST_250 TEN TEN TEN ":443", NULL, 0, false, NULL, NULL},
    {"agent-b", NULL, 0, false, NULL, NULL},
    {"agent-b:", NULL, 0, false, NULL, NULL},
    {"agent-b:0", NULL, 0, false, NULL, NULL},
    {"agent-b:65536", NULL, 0, false, NULL, NULL},
    {"agent-b:443/", NULL, 0, false, NULL, NULL},
    {"user@agent-b:443", NULL, 0, false, NULL, NULL},
    {"http://agent-b:443", NULL, 0, false, NULL, NULL},
    {"::1:443", NULL, 0, false, NULL, NULL},
    {":443", NULL, 0, false, NULL, NULL},
    {"/", NULL, 0, false, NULL, NULL},
    {"", NULL, 0, false, NULL, NULL},
};

static void check_destination(
    const struct target_case *one, bool found, const struct destination *to)
{
    print_message("%s\n", one->target);
    assert_int_equal(found, one->host != NULL);
    if (!found)
        return;
    assert_string_equal(to->origin.host, one->host);
    assert_int_equal(to->origin.port, one->port);
    assert_int_equal(to->tls, one->tls);
    assert_string_equal(to->authority, one->authority);
    assert_string_equal(to->server_name, "");
}

/* The target in memory that ends where it does. */
static struct slice copy_of(const char *target)
{
    struct slice text = slice_str(target);
    char *copy = malloc(text.len ? text.len : 1);
    assert_non_null(copy);
    memcpy(copy, text.data, text.len);
    return slice_of(copy, text.len);
}

static void test_absolute(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(absolutes); i++) {
        const struct target_case *one = &absolutes[i];
        struct destination to;
        struct slice path, target = copy_of(one->target);
        bool found = route_absolute(target, &to, &path);
        check_destination(one, found, &to);
        if (found)
            assert_true(slice_is(path, one->path));
        free((char *)(uintptr_t)target.data);
    }
}

static void test_connect(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(connects); i++) {
        struct destination to;
        struct slice target = copy_of(connects[i].target);
        bool found = route_connect(target, &to);
        check_destination(&connects[i], found, &to);
        free((char *)(uintptr_t)target.data);
    }
}

struct allow_case {
    const char *globs[2];
    const char *host;
    unsigned port;
    bool allowed;
};

static const struct allow_case allows[] = {
    {{"agent-b:8000"}, "agent-b", 8000, true},
    {{"agent-b:8000"}, "agent-b", 8001, false},
    {{"agent-b:8000"}, "agent-b", 80, false},
    {{"agent-b:8000"}, "x-agent-b", 8000, false},
    {{"agent-b:8000"}, "agent-b.evil.test", 8000, false},
    {{"agent-b:8000"}, "Agent-B", 8000, true}, /* names have no case (RFC 4343) */
    {{"AGENT-b"}, "agent-B", 8000, true},
    {{"agent-b"}, "agent-b", 1, true},
    {{"agent-b"}, "agent-b", 65535, true},
    {{"agent-b:*"}, "agent-b", 1, true},
    {{"*.example.test"}, "a.example.test", 443, true},
    {{"*.example.test"}, "example.test", 443, false},
    {{"*.example.test"}, "a.example.test.evil", 443, false},
    {{"*.example.test:443"}, "a.example.test", 80, false},
    {{"*"}, "anything", 1, true},
    {{"*:443"}, "anything", 443, true},
    {{"*:443"}, "anything", 80, false},
    {{"*:443"}, "anything", 8443, false},
    {{"127.0.0.1:80"}, "127.0.0.1", 80, true},
    {{"[::1]"}, "::1", 80, true},
    {{"[::1]:80"}, "::1", 80, true},
    {{"[::1]:80"}, "::1", 81, false},
    {{"::1"}, "::1", 80, false},
    {{"a", "b"}, "b", 80, true},
    {{"a", "b"}, "c", 80, false},
    {{NULL}, "a", 80, false},
};

static void test_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(allows); i++) {
        const struct allow_case *one = &allows[i];
        struct option_list patterns = {.count = 0};
        struct destination to = {.origin.port = (uint16_t)one->port};
        snprintf(to.origin.host, sizeof to.origin.host, "%s", one->host);
        while (patterns.count < 2 && one->globs[patterns.count]) {
            patterns.items[patterns.count] = one->globs[patterns.count];
            if (one->allowed)
                assert_null(route_pattern_fault(one->globs[patterns.count]));
            patterns.count++;
        }
        print_message("case %zu: %s:%u\n", i, one->host, one->port);
        assert_int_equal(route_is_allowed(&patterns, &to), one->allowed);
    }
}

/* A head, what the origin gets, and what was told, as in "/x=/y; Host:a=b; Proxy-A:1=-; ". */
struct head_case {
    const char *in, *out, *told;
};

#define GET "GET http://agent-b:80/tool HTTP/1.1\r\n"
#define GOT "GET /tool HTTP/1.1\r\n"
#define TARGET "http://agent-b:80/tool=/tool; "

static const struct head_case heads[] = {
    {GET "Host: agent-b:80\r\n\r\n", GOT "Host: agent-b:80\r\n\r\n", TARGET},
    {GET "hOSt:\t agent-b:80 \r\n\r\n", GOT "hOSt:\t agent-b:80 \r\n\r\n", TARGET},
    {GET "Host:AGENT-b:80\r\nX: 1\r\n\r\n", GOT "Host:agent-b:80\r\nX: 1\r\n\r\n",
        TARGET "Host:AGENT-b:80=agent-b:80; "},
    {GET "A:  b  \r\nHost:   AGENT-b:80  \r\n\r\n", GOT "A:  b  \r\nHost:   agent-b:80  \r\n\r\n",
        TARGET "Host:AGENT-b:80=agent-b:80; "},
    {GET "Proxy-Connection: keep-alive\r\nHost: agent-b:80\r\n\r\n", GOT "Host: agent-b:80\r\n\r\n",
        TARGET "Proxy-Connection:keep-alive=-; "},
    {GET "Host: agent-b:80\r\npROXY-Authorization: Basic eDp5 \r\n\r\n",
        GOT "Host: agent-b:80\r\n\r\n", TARGET "pROXY-Authorization:Basic eDp5=-; "},
    {GET "Proxy-A:\r\nHost: AGENT-b:80\r\nProxy-B: 2\r\nProxy-C: \r\nX: 1\r\n\r\n",
        GOT "Host: agent-b:80\r\nX: 1\r\n\r\n",
        TARGET "Proxy-A:=-; Host:AGENT-b:80=agent-b:80; Proxy-B:2=-; Proxy-C:=-; "},
    {GET "Host: agent-b:80\r\nProxy: 1\r\nX-Proxy-A: 2\r\nProxyA: 3\r\n\r\n",
        GOT "Host: agent-b:80\r\nProxy: 1\r\nX-Proxy-A: 2\r\nProxyA: 3\r\n\r\n", TARGET},
    {"\r\n" GET "Host: agent-b:80\r\n\r\n", "\r\n" GOT "Host: agent-b:80\r\n\r\n", TARGET},
    {"GET http://agent-b:80/a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.0\r\n\r\n",
        "http://agent-b:80/a=/a; "},
    {"GET http://agent-b:80 HTTP/1.1\r\nHost: agent-b:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: agent-b:80\r\n\r\n", "http://agent-b:80=/; "},
    {"GET http://agent-b:80?q HTTP/1.1\r\nHost: agent-b:80\r\n\r\n",
        "GET /?q HTTP/1.1\r\nHost: agent-b:80\r\n\r\n", "http://agent-b:80?q=/?q; "},
    /* RFC 9112 §3.2.4 */
    {"OPTIONS http://agent-b:80 HTTP/1.1\r\nHost: agent-b:80\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: agent-b:80\r\n\r\n", "http://agent-b:80=*; "},
    {"OPTIONS http://agent-b:80/ HTTP/1.1\r\nHost: agent-b:80\r\n\r\n",
        "OPTIONS / HTTP/1.1\r\nHost: agent-b:80\r\n\r\n", "http://agent-b:80/=/; "},
    {"OPTIONS http://agent-b:80?q HTTP/1.1\r\nHost: agent-b:80\r\n\r\n",
        "OPTIONS /?q HTTP/1.1\r\nHost: agent-b:80\r\n\r\n", "http://agent-b:80?q=/?q; "},
};

static void tell(struct buf *told, struct slice text, const char *behind)
{
    if (!text.data)
        text = slice_str("-");
    assert_int_equal(buf_append(told, text.data, text.len), 0);
    assert_int_equal(buf_append_str(told, behind), 0);
}

static void on_field(void *arg, struct slice name, struct slice old, struct slice new_value)
{
    tell(arg, name, ":");
    tell(arg, old, "=");
    tell(arg, new_value, "; ");
}

static void on_target(void *arg, struct slice old, struct slice new_value)
{
    tell(arg, old, "=");
    tell(arg, new_value, "; ");
}

static void check_head(const struct head_case *one)
{
    static struct http_field fields[HTTP_FIELDS_MAX];
    struct http_head head;
    struct http_problem problem;
    struct destination to;
    struct slice path, in = copy_of(one->in);
    struct buf out, told;
    const struct route_watch watch = {.on_field = on_field, .on_target = on_target, .arg = &told};
    print_message("%s", one->in);
    buf_init(&out, HTTP_HEAD_MAX);
    buf_init(&told, HTTP_HEAD_MAX);
    if (!http_head_read(&head, HTTP_KIND_REQUEST, in, fields, &problem))
        fail_msg("%s", problem.reason);
    assert_true(route_absolute(head.target, &to, &path));
    assert_int_equal(route_head(&head, path, slice_str(to.authority), &out, &watch), 0);
    if (one->out && !slice_is(slice_of(out.data, out.len), one->out))
        fail_msg("became %.*s", (int)out.len, out.data);
    if (!slice_is(slice_of(told.data, told.len), one->told))
        fail_msg("told %.*s", (int)told.len, told.data);
    buf_deinit(&out);
    buf_deinit(&told);
    free((char *)(uintptr_t)in.data);
}

static void test_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++)
        check_head(&heads[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absolute),
        cmocka_unit_test(test_connect),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
