/* buf, log_escape, hostport, options, clock: the small rooms of lib/. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/hostport.h"
#include "lib/log.h"
#include "lib/options.h"
#include "lib/spares.h"
#include "lib/text_run.h"

static void test_buf_cap(void **state)
{
    struct buf buf;
    (void)state;
    buf_init(&buf, 10);
    assert_int_equal(buf_append(&buf, "0123456", 7), 0);
    assert_int_equal(buf_append(&buf, "789a", 4), UV_ENOBUFS);
    assert_int_equal(buf.len, 7);
    assert_int_equal(buf_printf(&buf, "%d", 789), 0);
    assert_int_equal(buf_printf(&buf, "%d", 1), UV_ENOBUFS);
    assert_memory_equal(buf.data, "0123456789", 10);
    buf_consume(&buf, 4);
    assert_int_equal(buf.len, 6);
    assert_memory_equal(buf.data, "456789", 6);
    buf_consume(&buf, 100);
    assert_int_equal(buf.len, 0);
    buf_deinit(&buf);
}

static void test_buf_printf_long(void **state)
{
    struct buf buf;
    char wide[2000];
    (void)state;
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    buf_init(&buf, 4096);
    assert_int_equal(buf_printf(&buf, "%s|%s", wide, "end"), 0);
    assert_int_equal(buf.len, sizeof wide - 1 + 4);
    assert_memory_equal(buf.data + sizeof wide - 1, "|end", 4);
    buf_deinit(&buf);
}

static void test_log_escape(void **state)
{
    static const struct {
        const char *text, *shown;
        size_t size;
    } cases[] = {
        {"plain", "plain", 32},
        {"a\r\nb\tc\\", "a\\r\\nb\\tc\\\\", 32},
        {"\x1b[31m\x7f", "\\x1b[31m\\x7f", 32},
        {"한글", "한글", 32},
        {"\xc2\x9b"
         "31m",
            "\\xc2\\x9b31m", 32},
        {"a\xff\xc3(", "a\\xff\\xc3(", 32},
        {"a\xe2\x80\xae"
         "b",
            "a\\xe2\\x80\\xae"
            "b",
            32},
        {"a\xe2\x81\xa6\xd8\x9c\xe2\x80\x8b", "a\\xe2\\x81\\xa6\\xd8\\x9c\\xe2\\x80\\x8b", 64},
        {"\xf3\xa0\x81\x81\xef\xbf\xb9", "\\xf3\\xa0\\x81\\x81\\xef\\xbf\\xb9", 64},
        {"\xef\xbf\xbd\xf0\x9f\x98\x80", "\xef\xbf\xbd\xf0\x9f\x98\x80", 64},
        {"0123456789", "012345…", 10},
        {"0123456789", "0123456789", 11},
        {"한한한한", "한한…", 12},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(
            log_escape(slice_str(cases[i].text), out, cases[i].size), cases[i].shown);
}

/* What goes to log_error without log_escape, as the name of a file may. */
static void test_log_line(void **state)
{
    char line[256];
    int ends[2], saved = dup(STDERR_FILENO);
    (void)state;
    assert_int_equal(pipe(ends), 0);
    log_init("test");
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log_error("a\x1b[31m\r\n\xc2\x9b\xff%s", "\\n한");
    dup2(saved, STDERR_FILENO);
    ssize_t len = read(ends[0], line, sizeof line);
    assert_true(len > 0);
    line[len] = '\0';
    assert_string_equal(line, "test: a\\x1b[31m\\r\\n\\xc2\\x9b\\xff\\n한\n");
    close(saved);
    close(ends[0]);
    close(ends[1]);
}

static void test_hostport(void **state)
{
    static const struct {
        const char *text, *host;
        int port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::1]:0", "::1", 0},
        {"agent-b:65535", "agent-b", 65535},
        {"agent-b", NULL, 0},
        {"agent-b:", NULL, 0},
        {":80", NULL, 0},
        {"a:65536", NULL, 0},
        {"a:+1", NULL, 0},
        {"a: 1", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1:80", NULL, 0},
        {"[a]:80", NULL, 0},
        {"a b:80", NULL, 0},
        {"", NULL, 0},
    };
    struct hostport hostport;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int err = hostport_parse(&hostport, cases[i].text, &why);
        assert_int_equal(err, cases[i].host ? 0 : UV_EINVAL);
        if (err)
            continue;
        assert_string_equal(hostport.host, cases[i].host);
        assert_int_equal(hostport.port, cases[i].port);
    }
}

static void test_url(void **state)
{
    static const struct {
        const char *text, *host, *authority, *target;
        int port;
        bool tls;
    } cases[] = {
        {"http://agent-b:8000/tool", "agent-b", "agent-b:8000", "/tool", 8000, false},
        {"HTTP://a", "a", "a", "/", 80, false},
        {"http://[::1]:81/a?b=c", "::1", "[::1]:81", "/a?b=c", 81, false},
        {"http://a?x", "a", "a", "/?x", 80, false},
        {"https://a/", "a", "a", "/", 443, true},
        {"HTTPS://a:8443/tool", "a", "a:8443", "/tool", 8443, true},
        {"https://[::1]", "::1", "[::1]", "/", 443, true},
        {"https:/a/", NULL, NULL, NULL, 0, false},
        {"httpss://a/", NULL, NULL, NULL, 0, false},
        {"https", NULL, NULL, NULL, 0, false},
        {"a:80", NULL, NULL, NULL, 0, false},
        {"http://", NULL, NULL, NULL, 0, false},
        {"http://:80/", NULL, NULL, NULL, 0, false},
        {"http://a:0/", NULL, NULL, NULL, 0, false},
        {"http://a:x/", NULL, NULL, NULL, 0, false},
        {"http://u:p@a/", NULL, NULL, NULL, 0, false},
        {"http://a/#f", NULL, NULL, NULL, 0, false},
        {"http://a/ b", NULL, NULL, NULL, 0, false},
    };
    struct http_url url;
    const char *why;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int err = http_url_parse(&url, cases[i].text, &why);
        if (err != (cases[i].host ? 0 : UV_EINVAL))
            fail_msg("%s: %d (%s)", cases[i].text, err, why);
        if (err)
            continue;
        assert_string_equal(url.origin.host, cases[i].host);
        assert_string_equal(url.authority, cases[i].authority);
        assert_string_equal(url.target, cases[i].target);
        assert_int_equal(url.origin.port, cases[i].port);
        assert_int_equal(url.tls, cases[i].tls);
    }
}

static void test_sockaddr_text(void **state)
{
    static const struct {
        const char *host, *shown;
        uint16_t port;
        bool any;
    } cases[] = {
        {"10.0.0.1", "10.0.0.1:80", 80, false},
        {"255.200.99.10", "255.200.99.10:65535", 65535, false},
        {"0.0.0.0", "0.0.0.0:0", 0, true},
        {"::1", "[::1]:80", 80, false},
        {"::", "[::]:80", 80, true},
        {"::ffff:10.0.0.1", "10.0.0.1:80", 80, false},
        {"::ffff:0.0.0.0", "0.0.0.0:80", 80, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hostport hostport = {.port = cases[i].port};
        struct sockaddr_storage address;
        char out[SOCKADDR_TEXT_MAX], small[8];
        snprintf(hostport.host, sizeof hostport.host, "%s", cases[i].host);
        assert_int_equal(hostport_literal(&hostport, &address), 0);
        assert_string_equal(
            sockaddr_text((struct sockaddr *)&address, out, sizeof out), cases[i].shown);
        sockaddr_text((struct sockaddr *)&address, small, sizeof small);
        assert_int_equal(strncmp(small, out, sizeof small - 1), 0);
        assert_true(strlen(small) < sizeof small);
        assert_int_equal(sockaddr_is_any((struct sockaddr *)&address), cases[i].any);
    }
}

/* What the tests of the command line read into. */
static struct {
    bool flag;
    const char *text;
    uint64_t number;
    int choice;
    struct option_list list;
} got;

static enum options_result parse(int argc, char **argv, size_t *n_positionals)
{
    static const char *const choices[] = {"one", "two", NULL};
    static const struct option table[] = {
        {"flag", "T_FLAG", NULL, "f", OPTION_FLAG, &got.flag, 0, 0, NULL},
        {"text", "T_TEXT", "X", "t", OPTION_STRING, &got.text, 0, 0, NULL},
        {"number", "T_NUMBER", "N", "n", OPTION_NUMBER, &got.number, 1, 10, NULL},
        {"choice", "T_CHOICE", "C", "c", OPTION_CHOICE, &got.choice, 0, 0, choices},
        {"item", "T_ITEM", "I", "i", OPTION_LIST, &got.list, 0, 0, NULL},
    };
    static const struct program_help help = {"test", "s", "u", "  e\n"};
    static const char *positionals[1];
    memset(&got, 0, sizeof got);
    return options_parse(&help, table, 5, argc, argv, positionals, 1, n_positionals);
}

static void test_options(void **state)
{
    static const struct {
        const char *words[8];
        enum options_result result;
    } cases[] = {
        {{"--flag", "--text", "a", "--number=3"}, OPTIONS_OK},
        {{"--choice", "two", "word"}, OPTIONS_OK},
        {{"--item", "a", "--item=b", "--", "--word"}, OPTIONS_OK},
        {{"--text=", "--flag=0"}, OPTIONS_OK},
        {{"--number", "0"}, OPTIONS_USAGE},
        {{"--number", "11"}, OPTIONS_USAGE},
        {{"--number", "-1"}, OPTIONS_USAGE},
        {{"--number", "1x"}, OPTIONS_USAGE},
        {{"--number", ""}, OPTIONS_USAGE},
        {{"--number"}, OPTIONS_USAGE},
        {{"--choice", "three"}, OPTIONS_USAGE},
        {{"--flag=maybe"}, OPTIONS_USAGE},
        {{"--nothing"}, OPTIONS_USAGE},
        {{"--num", "3"}, OPTIONS_USAGE},
        {{"a", "b"}, OPTIONS_USAGE},
    };
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char words[8][32], *argv[9] = {words[0]};
        int argc = 1;
        for (; cases[i].words[argc - 1]; argc++) {
            snprintf(words[argc - 1], sizeof words[0], "%s", cases[i].words[argc - 1]);
            argv[argc] = words[argc - 1];
        }
        if (parse(argc, argv, &n) != cases[i].result)
            fail_msg("case %zu: not %d", i, cases[i].result);
    }
}

static void test_options_environment(void **state)
{
    char words[][16] = {"test", "--text", "flag", "--item", "c"}, *argv[5];
    size_t n = 0;
    (void)state;
    for (int i = 0; i < 5; i++)
        argv[i] = words[i];
    setenv("T_TEXT", "env", 1);
    setenv("T_NUMBER", "7", 1);
    setenv("T_FLAG", "yes", 1);
    setenv("T_ITEM", "a", 1);
    assert_int_equal(parse(5, argv, &n), OPTIONS_OK);
    assert_string_equal(got.text, "flag");
    assert_int_equal(got.number, 7);
    assert_true(got.flag);
    assert_int_equal(got.list.count, 1);
    assert_string_equal(got.list.items[0], "c");
    assert_int_equal(parse(1, argv, &n), OPTIONS_OK);
    assert_string_equal(got.text, "env");
    assert_string_equal(got.list.items[0], "a");
    setenv("T_NUMBER", "70", 1);
    assert_int_equal(parse(1, argv, &n), OPTIONS_USAGE);
    setenv("T_NUMBER", "", 1);
    assert_int_equal(parse(1, argv, &n), OPTIONS_OK);
}

static void test_clock(void **state)
{
    char out[CLOCK_RFC3339_SIZE];
    (void)state;
    assert_string_equal(clock_rfc3339(1700000000123456789u, out), "2023-11-14T22:13:20.123456Z");
    assert_string_equal(clock_rfc3339(0, out), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(clock_rfc3339(999999999u, out), "1970-01-01T00:00:00.999999Z");
    assert_string_equal(clock_rfc3339(1000000000u, out), "1970-01-01T00:00:01.000000Z");
}

static void test_spares(void **state)
{
    struct spares spares = {.size = 64};
    (void)state;
    void *first = spares_take(&spares), *second = spares_take(&spares);
    spares_give(&spares, first);
    spares_give(&spares, second);
    assert_int_equal(spares.count, 2);
    assert_ptr_equal(spares_take(&spares), second); /* the one that is warm still */
    spares_give(&spares, second);
    for (int i = 0; i < SPARES_MAX; i++)
        spares_give(&spares, malloc(64));
    assert_int_equal(spares.count, SPARES_MAX);
    spares_deinit(&spares);
    assert_int_equal(spares.count, 0);
}

/* Each byte at each place of a text, and behind the plain ones each that is not. */
static void test_text_run(void **state)
{
    (void)state;
    char text[20];
    for (size_t len = 0; len < sizeof text; len++) {
        memset(text, '~', len);
        assert_int_equal(text_run(slice_of(text, len), word_unprintable), len);
        for (size_t i = 0; i < 256 * len; i++) {
            size_t at = i % len;
            unsigned char c = (unsigned char)(i / len);
            bool plain = c >= ' ' && c <= '~';
            text[at] = (char)c;
            if (at + 1 < len)
                text[len - 1] = '\x80';
            size_t end = at + 1 < len ? len - 1 : len;
            assert_int_equal(text_run(slice_of(text, len), word_unprintable), plain ? end : at);
            memset(text, '~', len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_cap),
        cmocka_unit_test(test_spares),
        cmocka_unit_test(test_buf_printf_long),
        cmocka_unit_test(test_log_escape),
        cmocka_unit_test(test_log_line),
        cmocka_unit_test(test_hostport),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_sockaddr_text),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_options_environment),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_text_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
