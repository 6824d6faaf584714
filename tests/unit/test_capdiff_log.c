/* log_read.h: the exchange log, as it should be and as it may be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "capturer/capdiff/log_read.h"

static char path[64];
static struct exchange_log exchange_log;

static int read_text(const char *text, size_t len)
{
    char err[512];
    FILE *file;
    int status;

    snprintf(path, sizeof(path), "/tmp/capdiff-test-XXXXXX");
    file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
    status = exchange_log_open(&exchange_log, path, err, sizeof(err));
    if (status == 0)
        status = exchange_log_finish(&exchange_log, err, sizeof(err));
    unlink(path);
    return status;
}

static int teardown(void **state)
{
    (void)state;
    exchange_log_deinit(&exchange_log);
    return 0;
}

static void test_fields(void **state)
{
    static const char text[] =
        "{\"ts\":\"2026-01-01T00:00:01.250000Z\",\"exchange\":7,\"connection\":3,"
        "\"client\":\"10.0.0.4:1\",\"upstream_local\":null,\"method\":\"POST\",\"target\":\"/"
        "tool\","
        "\"status\":200,\"call_id\":\"call-0007\",\"request_sha256\":\"ab\",\"rules\":[\"r\"],"
        "\"changes\":[{\"side\":\"response\",\"pointer\":\"/a\",\"old\":\"1\",\"new\":\"2\"},"
        "{\"side\":\"request\",\"field\":\"Host\",\"old\":\"a\",\"new\":\"b\"}],\"error\":null}\n";
    const struct log_record *record;
    char client[HOSTPORT_TEXT_MAX];

    (void)state;
    assert_int_equal(read_text(text, strlen(text)), 0);
    assert_int_equal(exchange_log.count, 1);
    record = exchange_log.items[0];
    assert_int_equal(record->ts_ns, 1767225601250000000u);
    assert_int_equal(record->exchange, 7);
    assert_int_equal(record->connection, 3);
    assert_true(record->has_client);
    assert_string_equal(endpoint_text(&record->client, client), "10.0.0.4:1");
    assert_false(record->has_upstream_local);
    assert_string_equal(record->call_id, "call-0007");
    assert_int_equal(record->status, 200);
    assert_null(record->error);
    assert_int_equal(record->n_changes, 2);
    assert_true(record->changes[0].response);
    assert_int_equal(record->n_unknown, 0);
    assert_int_equal(record->changes[0].kind, LOG_CHANGE_JSON);
    assert_string_equal(record->changes[0].name.data, "/a");
    assert_int_equal(record->changes[1].kind, LOG_CHANGE_FIELD);
    assert_string_equal(record->changes[1].name.data, "Host");
    assert_string_equal(record->changes[1].after.data, "b");
}

static void test_torn_and_unreadable_lines(void **state)
{
    static const char text[] =
        "{\"exchange\":1}\n\nnot JSON\n[1]\n{\"exchange\":2}\n{\"exchange\":3}";

    (void)state;
    assert_int_equal(read_text(text, strlen(text)), 0);
    assert_int_equal(exchange_log.count, 2);
    assert_int_equal(exchange_log.unreadable, 2);
    assert_int_equal(exchange_log.unreadable_line, 3);
    assert_true(exchange_log.torn);
}

/* Values of another kind than they should be say nothing, and do no harm. */
static void test_odd_values(void **state)
{
    static const char text[] =
        "{\"ts\":\"yesterday\",\"exchange\":-1,\"connection\":1e300,\"client\":7,\"status\":\"x\","
        "\"rules\":{},\"changes\":[1,null,{\"side\":5}],\"error\":{}}\n"
        "{\"ts\":\"2026-13-45T99:99:99Z\",\"exchange\":1.5,\"changes\":{}}\n";

    (void)state;
    assert_int_equal(read_text(text, strlen(text)), 0);
    assert_int_equal(exchange_log.count, 2);
    assert_int_equal(exchange_log.items[0]->ts_ns, 0);
    assert_int_equal(exchange_log.items[0]->exchange, 0);
    assert_int_equal(exchange_log.items[0]->connection, 0);
    assert_false(exchange_log.items[0]->has_client);
    assert_int_equal(exchange_log.items[0]->n_changes, 3);
    assert_int_equal(exchange_log.items[0]->n_unknown, 3);
    assert_int_equal(exchange_log.items[1]->n_unknown, 1);
}

static void test_a_line_has_a_maximum(void **state)
{
    static const char next[] = "\n{\"exchange\":2}\n";
    size_t len = 3 * RECORD_LINE_MAX;
    char *text = malloc(len + sizeof(next));

    (void)state;
    memset(text, ' ', len);
    memcpy(text + len, next, sizeof(next));
    assert_int_equal(read_text(text, len + strlen(next)), 0);
    free(text);
    assert_int_equal(exchange_log.unreadable, 1);
    assert_int_equal(exchange_log.count, 1);
    assert_int_equal(exchange_log.items[0]->line, 2);
}

/* Escapes in names and values, names that stand twice, and numbers in any spelling. */
static void test_spellings(void **state)
{
    static const char text[] =
        "{\"exchange\":1,\"exchange\":2,\"method\":\"\\u0047ET\",\"t\\u0061rget\":\"\\/a\","
        "\"status\":2e2,\"connection\":9007199254740992,\"error\":\"\",\"client\":\"[::1]:8\"}\r\n"
        "{\"exchange\":9007199254740993,\"connection\":1000000000000000000,\"status\":-200}\n"
        "{\"exchange\":3} {}\n{\"exchange\":03}\n";
    const struct log_record *record;

    (void)state;
    assert_int_equal(read_text(text, strlen(text)), 0);
    assert_int_equal(exchange_log.count, 2);
    assert_int_equal(exchange_log.unreadable, 2);
    record = exchange_log.items[0];
    assert_int_equal(record->exchange, 2);
    assert_int_equal(record->connection, 9007199254740992);
    assert_int_equal(record->status, 200);
    assert_string_equal(record->method, "GET");
    assert_string_equal(record->target, "/a");
    assert_string_equal(record->error, "");
    assert_true(record->has_client && record->client.ipv6);
    assert_int_equal(exchange_log.items[1]->connection, 0);
    assert_int_equal(exchange_log.items[1]->status, 0);
}

/* One change, and what kind it is. */
static enum log_change_kind kind_of(const char *change)
{
    char text[1024];
    enum log_change_kind kind;

    snprintf(text, sizeof(text), "{\"changes\":[%s]}\n", change);
    assert_int_equal(read_text(text, strlen(text)), 0);
    assert_int_equal(exchange_log.items[0]->n_changes, 1);
    kind = exchange_log.items[0]->changes[0].kind;
    assert_int_equal(exchange_log.items[0]->n_unknown, kind == LOG_CHANGE_UNKNOWN);
    exchange_log_deinit(&exchange_log);
    return kind;
}

#define BY(action) "{\"rule\":\"r\",\"side\":\"request\",\"action\":\"" action "\""
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define BODY(old, new)                                                                             \
    ",\"body\":{\"old_bytes\":1,\"old_sha256\":\"" old                                             \
    "\",\"new_bytes\":2,\"new_sha256\":\"" new "\"}}"

static void test_kinds_of_changes(void **state)
{
    static const struct {
        const char *text;
        enum log_change_kind kind;
    } cases[] = {
        {BY("json_patch") ",\"pointer\":\"/a\",\"old\":\"1\",\"new\":null}", LOG_CHANGE_JSON},
        {BY("redigest") ",\"field\":\"A\",\"old\":null,\"new\":\"\"}", LOG_CHANGE_FIELD},
        {"{\"side\":\"request\",\"field\":\"Host\",\"old\":\"a\",\"new\":\"b\"}", LOG_CHANGE_FIELD},
        {"{\"side\":\"request\",\"target\":{\"old\":\"http://a/b\",\"new\":\"/b\"}}",
            LOG_CHANGE_TARGET},
        {BY("set_field") ",\"target\":{\"old\":\"http://a/b\",\"new\":\"/b\"}}",
            LOG_CHANGE_UNKNOWN},
        {"{\"side\":\"response\",\"target\":{\"old\":\"a\",\"new\":\"b\"}}", LOG_CHANGE_UNKNOWN},
        {"{\"side\":\"request\",\"target\":{\"old\":null,\"new\":\"b\"}}", LOG_CHANGE_UNKNOWN},
        {BY("corrupt") BODY(SHA, SHA), LOG_CHANGE_BODY},
        {BY("reframe") ",\"framing\":{\"old\":\"close\",\"new\":\"length\"}}", LOG_CHANGE_FRAMING},
        {BY("respond") ",\"status\":{\"old\":null,\"new\":503}}", LOG_CHANGE_RESPOND},
        {BY("drop") "}", LOG_CHANGE_DROP},
        {BY("reset") ",\"reset\":\"client\"}", LOG_CHANGE_RESET},
        {BY("delay") ",\"ms\":0}", LOG_CHANGE_DELAY},
        {BY("stall") ",\"ms\":300}", LOG_CHANGE_STALL},
        {BY("hold") ",\"held_ms\":12}", LOG_CHANGE_HOLD},
        {BY("reorder") ",\"held_ms\":12}", LOG_CHANGE_REORDER},
        {BY("throttle") ",\"bytes_per_second\":1000}", LOG_CHANGE_THROTTLE},
        {BY("replay") ",\"times\":2,\"after_ms\":0}", LOG_CHANGE_REPLAY},
        {BY("replay") ",\"of\":7}", LOG_CHANGE_COPY},
        {BY("duplicate") ",\"of\":7}", LOG_CHANGE_COPY},
        {BY("duplicate") "}", LOG_CHANGE_DUPLICATE},
        {BY("save") ",\"as\":\"one\"}", LOG_CHANGE_SAVE},
        {BY("json_patch") ",\"failed\":\"not_json\",\"reason\":\"no\"}", LOG_CHANGE_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(kind_of(cases[i].text), cases[i].kind);
}

/* What is not wholly understood is not understood. */
static void test_changes_that_are_none(void **state)
{
    static const char *const cases[] = {
        "1",
        "[]",
        "{}",
        BY("explode") "}",
        BY("drop") ",\"ms\":1}",
        BY("drop") ",\"because\":\"x\"}",
        BY("drop") ",\"side\":\"request\"}",
        "{\"rule\":\"r\",\"side\":\"server\",\"action\":\"drop\"}",
        "{\"rule\":\"r\",\"action\":\"drop\"}",
        "{\"rule\":1,\"side\":\"request\",\"action\":\"drop\"}",
        "{\"rule\":\"r\",\"side\":\"request\"}",
        BY("json_patch") ",\"pointer\":\"a\",\"old\":\"1\",\"new\":null}",
        BY("json_patch") ",\"pointer\":\"/~2\",\"old\":\"1\",\"new\":null}",
        BY("json_patch") ",\"pointer\":\"/a\",\"old\":\"x\",\"new\":null}",
        BY("json_patch") ",\"pointer\":\"/a\",\"old\":1,\"new\":null}",
        BY("json_patch") ",\"pointer\":\"/a\",\"old\":null,\"new\":null}",
        BY("json_patch") ",\"pointer\":\"/a\",\"old\":\"1\"}",
        BY("set_field") ",\"field\":\"\",\"old\":\"1\",\"new\":null}",
        BY("set_field") ",\"field\":\"A:\",\"old\":\"1\",\"new\":null}",
        BY("set_field") ",\"field\":\"A\",\"pointer\":\"\",\"old\":\"1\",\"new\":null}",
        BY("corrupt") BODY("0", SHA),
        BY("corrupt") BODY(SHA, "A123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
        BY("corrupt") BODY(SHA, SHA "0"),
        BY("corrupt") ",\"body\":{\"old_bytes\":1}}",
        BY("corrupt") ",\"body\":\"" SHA "\"}",
        BY("drop") BODY(SHA, SHA),
        BY("reframe") ",\"framing\":{\"old\":\"gzip\",\"new\":\"length\"}}",
        BY("reframe") ",\"framing\":{\"old\":\"close\",\"new\":\"length\",\"x\":1}}",
        BY("respond") ",\"status\":{\"old\":null,\"new\":99}}",
        BY("respond") ",\"status\":{\"old\":200,\"new\":\"200\"}}",
        BY("respond") ",\"status\":{\"new\":200}}",
        BY("reset") ",\"reset\":\"server\"}",
        BY("reset") "}",
        BY("delay") ",\"ms\":-1}",
        BY("delay") ",\"ms\":1.5}",
        BY("delay") ",\"ms\":1e3}",
        BY("delay") ",\"held_ms\":1}",
        BY("throttle") ",\"bytes_per_second\":0}",
        BY("replay") ",\"times\":2}",
        BY("replay") ",\"of\":0}",
        "{\"rule\":\"r\",\"side\":\"response\",\"action\":\"replay\",\"of\":1}",
        BY("json_patch") ",\"failed\":\"not_json\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(kind_of(cases[i]), LOG_CHANGE_UNKNOWN);
}

/* A file that grows is read on, wherever it ended before. */
static void grow(FILE *file, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t part = 1 + (size_t)rand() % 100000;

        part = part < len - at ? part : len - at;
        assert_int_equal(fwrite(text + at, 1, part, file), part);
        assert_int_equal(fflush(file), 0);
        exchange_log_read(&exchange_log, UINT64_MAX);
        at += part;
    }
}

static void test_growing(void **state)
{
    size_t size = (size_t)8 << 20, len = 0;
    unsigned seed = (unsigned)time(NULL), count = 0;
    char *text = malloc(size), err[512];
    FILE *file;

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (; len < size / 2; count++)
        len += (size_t)snprintf(text + len, size - len, "{\"exchange\":%u,\"_\":\"%*s\"}\n%s",
            count, count % 10 == 0 ? 150000 : rand() % 5000, "x", count % 7 == 0 ? "\n" : "");
    snprintf(path, sizeof(path), "/tmp/capdiff-test-XXXXXX");
    file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    assert_int_equal(exchange_log_open(&exchange_log, path, err, sizeof(err)), 0);
    exchange_log_read(&exchange_log, UINT64_MAX);
    grow(file, text, len);
    grow(file, "{\"exchange\":", strlen("{\"exchange\":"));
    fclose(file);
    unlink(path);
    free(text);
    assert_int_equal(exchange_log_finish(&exchange_log, err, sizeof(err)), 0);
    assert_int_equal(exchange_log.unreadable, 0);
    assert_true(exchange_log.torn);
    assert_int_equal(exchange_log.count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(exchange_log.items[i]->exchange, i);
}

/* Nothing behind a record of a later time is taken yet. */
static void test_until(void **state)
{
    static const char text[] =
        "{\"ts\":\"2026-01-01T00:00:01Z\"}\n{\"ts\":\"2026-01-01T00:00:03Z\"}\n"
        "{\"ts\":\"2026-01-01T00:00:02Z\"}\n";
    char err[512];
    FILE *file;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/capdiff-test-XXXXXX");
    file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    assert_int_equal(exchange_log_open(&exchange_log, path, err, sizeof(err)), 0);
    unlink(path);
    exchange_log_read(&exchange_log, 1767225602000000000u);
    assert_int_equal(exchange_log.count, 2);
    exchange_log_read(&exchange_log, 1767225602000000000u);
    assert_int_equal(exchange_log.count, 2);
    assert_int_equal(exchange_log_finish(&exchange_log, err, sizeof(err)), 0);
    assert_int_equal(exchange_log.count, 3);
    assert_false(exchange_log.torn);
}

static void test_no_file(void **state)
{
    char err[512];

    (void)state;
    assert_int_equal(exchange_log_open(&exchange_log, "/nowhere/log", err, sizeof(err)), UV_ENOENT);
    assert_non_null(strstr(err, "/nowhere/log"));
    assert_int_equal(exchange_log_open(&exchange_log, "/", err, sizeof(err)), UV_EISDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_fields, teardown),
        cmocka_unit_test_teardown(test_torn_and_unreadable_lines, teardown),
        cmocka_unit_test_teardown(test_odd_values, teardown),
        cmocka_unit_test_teardown(test_a_line_has_a_maximum, teardown),
        cmocka_unit_test_teardown(test_spellings, teardown),
        cmocka_unit_test_teardown(test_kinds_of_changes, teardown),
        cmocka_unit_test_teardown(test_changes_that_are_none, teardown),
        cmocka_unit_test_teardown(test_growing, teardown),
        cmocka_unit_test_teardown(test_until, teardown),
        cmocka_unit_test_teardown(test_no_file, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
