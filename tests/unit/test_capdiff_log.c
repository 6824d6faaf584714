/* log_read.h: the exchange log, as it should be and as it may be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

    (void)state;
    assert_int_equal(read_text(text, strlen(text)), 0);
    assert_int_equal(exchange_log.count, 1);
    record = exchange_log.items[0];
    assert_int_equal(record->ts_ns, 1767225601250000000u);
    assert_int_equal(record->exchange, 7);
    assert_int_equal(record->connection, 3);
    assert_string_equal(record->client, "10.0.0.4:1");
    assert_null(record->upstream_local);
    assert_string_equal(record->call_id, "call-0007");
    assert_int_equal(record->status, 200);
    assert_int_equal(record->n_rules, 1);
    assert_null(record->error);
    assert_int_equal(record->n_changes, 2);
    assert_true(record->changes[0].response);
    assert_string_equal(record->changes[0].pointer, "/a");
    assert_string_equal(record->changes[1].field, "Host");
    assert_string_equal(record->changes[1].after, "b");
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
    assert_null(exchange_log.items[0]->client);
    assert_int_equal(exchange_log.items[0]->n_changes, 3);
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
        cmocka_unit_test_teardown(test_no_file, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
