#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>
#include <uv.h>

#include "agent_a/tool_call.h"
#include "lib/json_text.h"

static void assert_text(const struct buf *buf, const char *expected)
{
    assert_int_equal(buf->len, strlen(expected));
    assert_memory_equal(buf->data, expected, buf->len);
}

static void test_default(void **state)
{
    (void)state;
    struct buf call;
    buf_init(&call, TOOL_CALL_MAX);
    assert_int_equal(tool_call_default(1, &call), 0);
    assert_text(&call, "{\"id\":\"call-0001\",\"type\":\"tool_call\",\"tool_name\":\"analyze_"
                       "dependency\",\"arguments\":{\"repo\":\"demo-repo\",\"target\":\"libssl\","
                       "\"depth\":2}}");
    buf_clear(&call);
    assert_int_equal(tool_call_default(123456, &call), 0);
    assert_memory_equal(call.data, "{\"id\":\"call-123456\",", 20);
    buf_deinit(&call);
}

static void test_request(void **state)
{
    (void)state;
    struct http_url url;
    struct buf request;
    const char *why;
    assert_int_equal(http_url_parse(&url, "http://mitm-proxy:8080/tool?x=1", &why), 0);
    buf_init(&request, TOOL_CALL_MAX);
    assert_int_equal(tool_call_request(&url, slice_str("{\"id\": 1}\n"), &request), 0);
    assert_text(&request, "POST /tool?x=1 HTTP/1.1\r\n"
                          "Host: mitm-proxy:8080\r\n"
                          "User-Agent: agent_a/" AGENT_MITM_VERSION "\r\n"
                          "Content-Type: application/json\r\n"
                          "Accept: application/json, text/event-stream\r\n"
                          "Content-Length: 10\r\n\r\n"
                          "{\"id\": 1}\n");
    buf_deinit(&request);
}

static void test_check(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        const char *answer;
        const char *word; /* NULL: good */
        const char *reason;
    } cases[] = {
        {"{\"id\":\"a\"}", "{\"id\":\"a\"}", NULL, NULL},
        {"{\"id\":\"a\"}", "{ \"result\":{}, \"id\" : \"a\" }", NULL, NULL},
        {"{\"id\":\"\\u0061\"}", "{\"id\":\"a\"}", NULL, NULL},
        {"{\"id\":\"a\"}", "{\"id\":\"\\u0061\"}", NULL, NULL},
        {"{\"id\":9007199254740993}", "{\"id\":9007199254740993}", NULL, NULL},
        {"{\"id\":9007199254740993}", "{\"id\":9007199254740992}", "id_mismatch",
            "the answer has the id 9007199254740992; 9007199254740993 was sent"},
        {"{\"id\":1}", "{\"id\":\"1\"}", "id_mismatch", "the answer has the id \"1\"; 1 was sent"},
        {"{\"id\":\"1\"}", "{\"id\":1}", "id_mismatch", "the answer has the id 1; \"1\" was sent"},
        {"{\"id\":1}", "{\"id\":1.0}", "id_mismatch", "the answer has the id 1.0; 1 was sent"},
        {"{\"id\":null}", "{\"id\":null}", NULL, NULL},
        {"{\"id\":1}", "{}", "id_mismatch", "the answer has no id; 1 was sent"},
        {"{\"id\":1}", "[1]", "id_mismatch", "the answer has no id; 1 was sent"},
        {"{\"id\":1}", "", "bad_response",
            "the answer is no JSON: at byte 0, the text ends too early"},
        {"{\"id\":1}", "<p>", "bad_response",
            "the answer is no JSON: at byte 0, a value is expected here"},
        {"{}", "whatever", NULL, NULL},
        {"not JSON", "whatever", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome = {0};
        bool good = tool_call_check(slice_str(cases[i].call), slice_str(cases[i].answer), &outcome);
        if (good != (cases[i].word == NULL) || (outcome.kind == OUTCOME_ACCEPTED) != good)
            fail_msg("%s, %s: %s", cases[i].call, cases[i].answer, outcome.reason);
        if (good)
            continue;
        assert_string_equal(outcome.word, cases[i].word);
        assert_string_equal(outcome.reason, cases[i].reason);
    }
}

static bool no_memory;

/* The linker's names for a function that stands before another. */
void *__real_malloc(size_t size); /* NOLINT(bugprone-reserved-identifier) */
void *__wrap_malloc(size_t size); /* NOLINT(bugprone-reserved-identifier) */

void *__wrap_malloc(size_t size) /* NOLINT(bugprone-reserved-identifier) */
{
    return no_memory ? NULL : __real_malloc(size);
}

static void test_what_cannot_be_checked_is_not_good(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    no_memory = true;
    bool good = tool_call_check(slice_str("{\"id\":1}"), slice_str("{\"id\":2}"), &outcome);
    no_memory = false;
    assert_false(good);
    assert_string_equal(outcome.word, "no_memory");
    assert_string_equal(outcome.reason, "there is not enough memory to check the answer");
}

static void test_name(void **state)
{
    (void)state;
    char name[16];
    assert_string_equal(tool_call_name(slice_str("{\"id\":\"x\"}"), name, sizeof name), "\"x\"");
    assert_string_equal(tool_call_name(slice_str("{}"), name, sizeof name), "without id");
    assert_string_equal(tool_call_name(slice_str("no"), name, sizeof name), "without id");
}

static void test_load(void **state)
{
    (void)state;
    char path[] = "/tmp/agent_a_call.XXXXXX";
    int fd = mkstemp(path);
    struct buf call;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\"id\":\0}\n", 9), 9);
    close(fd);
    buf_init(&call, 9);
    assert_int_equal(tool_call_load(path, &call), 0);
    assert_int_equal(call.len, 9);
    assert_memory_equal(call.data, "{\"id\":\0}\n", 9);
    assert_int_equal(tool_call_load(path, &call), UV_ENOBUFS);
    buf_deinit(&call);
    unlink(path);
    assert_int_equal(tool_call_load(path, &call), UV_ENOENT);
    assert_int_equal(tool_call_load("/", &call), UV_EISDIR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_what_cannot_be_checked_is_not_good),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
