#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

#include "agent_b/data_dir.h"
#include "agent_b/refusals.h"
#include "agent_b/tools.h"

/*
 * A directory of its own for each run:
 *   secret           outside
 *   data/hello       "hé\n"
 *   data/sub/inner   "in"
 *   data/inside      -> sub/inner
 *   data/out         -> ../secret
 *   data/up          -> ..
 *   data/fifo, data/big
 */
static char top[] = "/tmp/agent_b_tools.XXXXXX";

static const char *at(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", top, name);
    return path;
}

static void put(const char *name, const char *text, size_t len)
{
    FILE *file = fopen(at(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static int make_tree(void **state)
{
    (void)state;
    static char big[DATA_DIR_FILE_MAX + 1];
    assert_non_null(mkdtemp(top));
    assert_int_equal(mkdir(at("data"), 0700), 0);
    assert_int_equal(mkdir(at("data/sub"), 0700), 0);
    put("secret", "secret", 6);
    put("data/hello", "h\xc3\xa9\n", 4);
    put("data/sub/inner", "in", 2);
    put("data/big", big, sizeof big);
    put("data/full", big, sizeof big - 1);
    assert_int_equal(symlink("sub/inner", at("data/inside")), 0);
    assert_int_equal(symlink("../secret", at("data/out")), 0);
    assert_int_equal(symlink("..", at("data/up")), 0);
    assert_int_equal(mkfifo(at("data/fifo"), 0600), 0);
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    static const char *const names[] = {"data/fifo", "data/up", "data/out", "data/inside",
        "data/full", "data/big", "data/sub/inner", "data/hello", "secret"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(at(names[i]));
    rmdir(at("data/sub"));
    rmdir(at("data"));
    return rmdir(top);
}

static bool no_memory;

/* The linker's names for a function that stands before another. */
void *__real_realloc(void *old, size_t size); /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_realloc(void *old, size_t size); /* NOLINT(bugprone-reserved-identifier) */

void *__wrap_realloc(void *old, size_t size) /* NOLINT(bugprone-reserved-identifier) */
{
    return no_memory ? NULL : __real_realloc(old, size);
}

struct outcome {
    enum tools_outcome outcome;
    struct tools_error error;
    uint64_t steps;
    char members[512];
};

static struct outcome run(struct tools *tools, const char *name, const char *arguments)
{
    struct tools_result result;
    bool lacks = no_memory; /* the tool does, not who calls it */
    no_memory = false;
    struct json_text *json = json_text_parse(slice_str(arguments), NULL, NULL);
    no_memory = lacks;
    assert_non_null(json);
    tools_result_init(&result);
    tools_run(tools, slice_str(name), json, 0, &result);
    struct outcome outcome = {
        .outcome = result.outcome, .error = result.error, .steps = result.steps};
    snprintf(outcome.members, sizeof outcome.members, "%.*s", (int)result.members.len,
        result.members.data != NULL ? result.members.data : "");
    tools_result_deinit(&result);
    json_text_free(json);
    return outcome;
}

static struct tools *open_tools(const char *data_dir)
{
    int err = -1;
    struct tools *tools = tools_new(data_dir, &err);
    assert_non_null(tools);
    assert_int_equal(err, 0);
    return tools;
}

static void test_deposit(void **state)
{
    (void)state;
    struct tools *tools = open_tools(NULL);
    struct outcome result = run(tools, "deposit", "{\"account\":\"alice\",\"amount\":10.50}");
    assert_int_equal(result.outcome, TOOLS_DONE);
    assert_string_equal(result.members, ",\"balances\":{\"alice\":10.50}");
    result = run(tools, "deposit", "{\"account\":\"al\\u0069ce\",\"amount\":0.1}");
    assert_string_equal(result.members, ",\"balances\":{\"alice\":10.60}");
    tools_free(tools);
}

static void test_no_memory_is_not_the_callers_fault(void **state)
{
    (void)state;
    struct tools *tools = open_tools(at("data"));
    static const char *const cases[][2] = {
        {"deposit", "{\"account\":\"alice\",\"amount\":1}"},
        {"read_file", "{\"path\":\"hello\"}"},
    };
    for (size_t i = 0; i < 2; i++) {
        no_memory = true;
        struct outcome result = run(tools, cases[i][0], cases[i][1]);
        no_memory = false;
        assert_int_equal(result.outcome, TOOLS_FAILED);
        assert_string_equal(result.error.word, "no_memory");
    }
    tools_free(tools);
}

static void test_deposit_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"{}", "[]", "1", "{\"account\":\"a\"}", "{\"amount\":1}",
        "{\"account\":1,\"amount\":1}", "{\"account\":\"a\",\"amount\":\"1\"}",
        "{\"account\":\"a\",\"amount\":-1}", "{\"account\":\"a\",\"amount\":1.001}",
        "{\"account\":\"\",\"amount\":1}"};
    struct tools *tools = open_tools(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct outcome result = run(tools, "deposit", bad[i]);
        assert_int_equal(result.outcome, TOOLS_REFUSED);
        assert_string_equal(result.error.word, "bad_arguments");
    }
    tools_free(tools);
}

static void test_unknown(void **state)
{
    (void)state;
    struct tools *tools = open_tools(NULL);
    assert_int_equal(run(tools, "Deposit", "{}").outcome, TOOLS_UNKNOWN);
    assert_int_equal(run(tools, "analyze_dependency", "{}").outcome, TOOLS_DONE);
    assert_string_equal(run(tools, "read_file", "{\"path\":\"x\"}").error.word, "no_data");
    tools_free(tools);
}

/* valgrind up to 3.19 knows no openat2, and read_file then refuses everything, as it should. */
static bool kernel_has_openat2(void)
{
    return syscall(SYS_openat2, AT_FDCWD, ".", NULL, 0) >= 0 || errno != ENOSYS;
}

static void test_read_file(void **state)
{
    (void)state;
    if (!kernel_has_openat2())
        skip();
    static const struct {
        const char *arguments;
        const char *expected; /* members, or the word of the error */
    } cases[] = {
        {"{\"path\":\"hello\"}", ",\"bytes\":4,\"content\":\"h\xc3\xa9\\n\""},
        {"{\"path\":\"./sub/../hello\"}", ",\"bytes\":4,\"content\":\"h\xc3\xa9\\n\""},
        {"{\"path\":\"sub/inner\"}", ",\"bytes\":2,\"content\":\"in\""},
        {"{\"path\":\"inside\"}", ",\"bytes\":2,\"content\":\"in\""},
        {"{\"path\":\"../secret\"}", "outside_data"},
        {"{\"path\":\"\\u002e\\u002e/secret\"}", "outside_data"},
        {"{\"path\":\"sub/../../secret\"}", "outside_data"},
        {"{\"path\":\"/etc/passwd\"}", "outside_data"},
        {"{\"path\":\"out\"}", "outside_data"},
        {"{\"path\":\"up/secret\"}", "outside_data"},
        {"{\"path\":\"none\"}", "no_such_file"},
        {"{\"path\":\"hello/x\"}", "no_such_file"},
        {"{\"path\":\"sub\"}", "not_a_file"},
        {"{\"path\":\".\"}", "not_a_file"},
        {"{\"path\":\"fifo\"}", "not_a_file"},
        {"{\"path\":\"\"}", "not_a_file"},
        {"{\"path\":\"hello\\u0000x\"}", "not_a_file"},
        {"{\"path\":\"big\"}", "file_too_large"},
        {"{\"path\":1}", "bad_arguments"},
        {"{}", "bad_arguments"},
    };
    struct tools *tools = open_tools(at("data"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome result = run(tools, "read_file", cases[i].arguments);
        const char *got = result.outcome == TOOLS_DONE ? result.members : result.error.word;
        if (strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s", cases[i].arguments, got);
    }
    struct outcome full = run(tools, "read_file", "{\"path\":\"full\"}");
    assert_int_equal(full.outcome, TOOLS_DONE);
    tools_free(tools);
}

static void test_follow_build(void **state)
{
    (void)state;
    struct tools *tools = open_tools(NULL);
    struct outcome outcome = run(tools, "follow_build", "{\"steps\":1000}");
    assert_int_equal(outcome.outcome, TOOLS_DONE);
    assert_int_equal(outcome.steps, 1000);
    assert_string_equal(outcome.members, ",\"steps\":1000");
    static const char *const bad[] = {"{}", "{\"steps\":0}", "{\"steps\":1001}", "{\"steps\":-1}",
        "{\"steps\":1.0}", "{\"steps\":1e2}", "{\"steps\":\"3\"}", "{\"steps\":[]}",
        "{\"steps\":18446744073709551617}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        outcome = run(tools, "follow_build", bad[i]);
        assert_int_equal(outcome.outcome, TOOLS_REFUSED);
        assert_string_equal(outcome.error.word, "bad_arguments");
        assert_int_equal(outcome.steps, 0);
    }
    tools_free(tools);
}

static void assert_printed(
    int (*print)(const struct tools *, struct buf *), const struct tools *tools, const char *text)
{
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(print(tools, &out), 0);
    assert_true(slice_is(slice_of(out.data, out.len), text));
    buf_deinit(&out);
}

/* What was refused has not been carried out. */
static void test_counts(void **state)
{
    (void)state;
    struct tools *tools = open_tools(NULL);
    assert_printed(tools_print_ledger, tools, "{\"balances\":{},\"deposits\":0}");
    run(tools, "deposit", "{\"account\":\"a\",\"amount\":1}");
    run(tools, "deposit", "{\"account\":\"a\",\"amount\":1}");
    run(tools, "deposit", "{\"account\":\"a\",\"amount\":-1}");
    run(tools, "follow_build", "{\"steps\":3}");
    run(tools, "read_file", "{\"path\":\"none\"}");
    run(tools, "nothing", "{}");
    assert_printed(tools_print_ledger, tools, "{\"balances\":{\"a\":2.00},\"deposits\":2}");
    assert_printed(tools_print_carried_out, tools,
        "{\"analyze_dependency\":0,\"deposit\":2,\"read_file\":0,\"follow_build\":1}");
    tools_free(tools);
}

static void test_refusals(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    struct buf out;
    buf_init(&out, 1000);
    assert_int_equal(refusals_print(&refusals, &out), 0);
    refusals_count(&refusals, "replayed");
    refusals_count(&refusals, "expired");
    refusals_count(&refusals, "replayed");
    assert_int_equal(refusals_print(&refusals, &out), 0);
    assert_true(slice_is(slice_of(out.data, out.len), "{}{\"replayed\":2,\"expired\":1}"));
    buf_deinit(&out);
}

static void test_no_such_directory(void **state)
{
    (void)state;
    int err = 0;
    assert_null(tools_new(at("nothing"), &err));
    assert_int_equal(err, UV_ENOENT);
    assert_null(tools_new(at("secret"), &err));
    assert_int_equal(err, UV_ENOTDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deposit),
        cmocka_unit_test(test_no_memory_is_not_the_callers_fault),
        cmocka_unit_test(test_deposit_refuses),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_read_file),
        cmocka_unit_test(test_follow_build),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_such_directory),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
