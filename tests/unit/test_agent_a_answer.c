#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "agent_a/answer.h"
#include "agent_a/event_answer.h"
#include "agent_a/results.h"

static struct outcome judge(int status, const char *body)
{
    const struct question question = {.call = slice_str("{\"id\":1}")};
    const struct client_answer answer = {.status = status, .body = slice_str(body)};
    struct outcome outcome = {0};
    answer_judge(&question, &answer, answer.body, &outcome);
    return outcome;
}

static void test_judge(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum outcome_kind kind;
        enum outcome_by by;
        const char *word, *claimed, *reason;
    } cases[] = {
        {200, "{\"id\":1}", OUTCOME_ACCEPTED, OUTCOME_BY_NOBODY, "", "", ""},
        {299, "{\"id\":1}", OUTCOME_ACCEPTED, OUTCOME_BY_NOBODY, "", "", ""},
        {200, "{\"id\":2}", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "id_mismatch", "",
            "the answer has the id 2; 1 was sent"},
        {302, "{\"id\":1}", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status", "", "the status is 302"},
        {403, "{\"error\":{\"word\":\"replayed\"}}", OUTCOME_REFUSED, OUTCOME_BY_AGENT_B,
            "replayed", "", "the status is 403, replayed"},
        {422, "{\"id\":1,\"result\":{\"ok\":false,\"error\":{\"word\":\"bad_arguments\"}}}",
            OUTCOME_REFUSED, OUTCOME_BY_AGENT_B, "bad_arguments", "",
            "the status is 422, bad_arguments"},
        {502, "{\"error\":{\"word\":\"connect_failed\",\"by\":\"mitm_proxy\"}}", OUTCOME_FAILED,
            OUTCOME_BY_NOBODY, "status", "connect_failed", "the status is 502, connect_failed"},
        {500, "{\"error\":{\"word\":\"Not a word\"}}", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status",
            "", "the status is 500"},
        {500, "{\"error\":{\"word\":\"\"}}", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status", "",
            "the status is 500"},
        {500, "{\"error\":{\"word\":5}}", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status", "",
            "the status is 500"},
        {500, "{\"error\":{\"word\":\"a_word_of_more_than_forty_characters_is_none\"}}",
            OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status", "", "the status is 500"},
        {500, "<p>", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status", "", "the status is 500"},
        {500, "", OUTCOME_FAILED, OUTCOME_BY_NOBODY, "status", "", "the status is 500"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome = judge(cases[i].status, cases[i].body);
        if (outcome.kind != cases[i].kind || outcome.by != cases[i].by)
            fail_msg("%s: %d by %d", cases[i].body, (int)outcome.kind, (int)outcome.by);
        assert_string_equal(outcome.word, cases[i].word);
        assert_string_equal(outcome.claimed, cases[i].claimed);
        assert_string_equal(outcome.reason, cases[i].reason);
    }
}

static void append_event(void *arg, const struct server_event *event)
{
    assert_int_equal(buf_append(arg, event->type.data, event->type.len), 0);
    assert_int_equal(buf_append_char(arg, ' '), 0);
}

static void feed(struct event_answer *events, struct slice bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len; at += piece)
        event_answer_feed(events, slice_of(bytes.data + at, piece));
}

/* RESULT is the last one that was ended; NULL: there is none, and so no answer. */
static void assert_result(const char *body, uint64_t count, const char *types, const char *result)
{
    struct event_answer events;
    struct buf got;
    buf_init(&got, 1000);
    event_answer_init(&events, append_event, &got);
    for (int again = 0; again < 2; again++) {
        buf_clear(&got);
        event_answer_begin(&events);
        feed(&events, slice_str(body), again == 0 ? 1 : strlen(body));
        assert_int_equal(events.status, 0);
        assert_int_equal(events.count, count);
        assert_true(slice_is(slice_of(got.data, got.len), types));
        struct slice found = event_answer_result(&events);
        if (result == NULL)
            assert_null(found.data);
        else
            assert_true(found.data != NULL && slice_is(found, result));
    }
    event_answer_deinit(&events);
    buf_deinit(&got);
}

static void test_events(void **state)
{
    (void)state;
    assert_result(
        "event: progress\ndata: 1\n\nevent: result\ndata: 2\n\n", 2, "progress result ", "2");
    assert_result("event: result\ndata: 1\n\nevent: result\ndata: 2\n\ndata: 3\n\n", 3,
        "result result message ", "2");
    assert_result("event: result\ndata: 1\n\nevent: result\ndata\n\n", 2, "result result ", "");
    assert_result("event: result\ndata: 1\n\nevent: result\ndata: 2\n", 1, "result ", "1");
    assert_result("event: progress\ndata: 1\n\n", 1, "progress ", NULL);
    assert_result("{\"id\":1}", 0, "", NULL);
}

static void test_events_are_told_by_their_type(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool is;
    } cases[] = {
        {"text/event-stream", true},
        {"Text/Event-Stream ; charset=utf-8", true},
        {"text/event-streams", false},
        {"application/json", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_field field = {slice_str("Content-Type"), slice_str(cases[i].type)};
        const struct http_head head = {.fields = &field, .n_fields = 1};
        assert_int_equal(event_answer_is(&head), cases[i].is);
    }
    assert_false(event_answer_is(&(struct http_head){0}));
}

static void test_events_without_a_result_are_no_answer(void **state)
{
    (void)state;
    const struct question question = {.call = slice_str("{}")};
    const struct client_answer answer = {.status = 200, .body = slice_str("data: 1\n\n")};
    struct outcome outcome = {0};
    answer_judge(&question, &answer, slice_of(NULL, 0), &outcome);
    assert_int_equal(outcome.kind, OUTCOME_FAILED);
    assert_string_equal(outcome.word, "no_result");
}

static void test_silence(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool silence, astray;
    } cases[] = {
        {"timeout", true, false},
        {"connection_closed", true, false},
        {"connection_reset", true, false},
        {"connect_failed", true, false},
        {"unasked_response", true, false},
        {"tls_failed", true, false},
        {"tls_untrusted", false, false},
        {"bad_response", false, false},
        {"id_mismatch", false, true},
        {"status", false, false},
        {"no_memory", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct outcome outcome = {0};
        assert_false(outcome_fail(&outcome, cases[i].word, "why"));
        assert_int_equal(outcome_is_silence(&outcome), cases[i].silence);
        assert_int_equal(outcome_is_astray(&outcome), cases[i].astray);
    }
    /* A refusal may bring whatever word: it is an answer. */
    struct outcome refused = {0};
    assert_false(outcome_refuse(&refused, OUTCOME_BY_AGENT_B, "timeout", "why"));
    assert_false(outcome_is_silence(&refused));
    assert_false(outcome_is_astray(&refused));
    assert_false(outcome_refuse(&refused, OUTCOME_BY_AGENT_A, "signature_invalid", "why"));
    assert_true(outcome_is_astray(&refused));
}

static void assert_file(const char *path, const char *text)
{
    char content[1024] = "";
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_true(fread(content, 1, sizeof content - 1, file) > 0);
    fclose(file);
    assert_string_equal(content, text);
}

static void test_results(void **state)
{
    (void)state;
    char path[] = "/tmp/agent_a_results.XXXXXX";
    struct results results;
    struct outcome accepted = {0};
    struct outcome refused = {0};
    struct stat facts;
    close(mkstemp(path));
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(results_open(&results, path), 0);
    outcome_refuse(&refused, OUTCOME_BY_AGENT_A, "signature_invalid", "why");
    snprintf(refused.claimed, sizeof refused.claimed, "replayed");
    results.unasked = 2;
    const struct result written[] = {
        {.call = 1,
            .attempts = 3,
            .text = slice_str("{\"id\":90071992547409931,\"tool_name\":\"a\\u0000\"}"),
            .outcome = &accepted,
            .status = 200,
            .duration_ns = 1002003999,
            .response = slice_str("{\n\"a\\n\": 1}\r\n")},
        {.call = 2,
            .attempts = 1,
            .text = slice_str("no JSON"),
            .outcome = &refused,
            .streamed = true,
            .events = 7,
            .duration_ns = 999},
    };
    results_write(&results, &written[0]);
    results_write(&results, &written[1]);
    assert_true(results_close(&results));
    assert_file(path,
        "{\"call\":1,\"id\":90071992547409931,\"tool_name\":\"a\\u0000\",\"attempts\":3,"
        "\"outcome\":\"accepted\",\"word\":null,\"by\":null,\"claimed\":null,\"status\":200,"
        "\"duration_ms\":1002.003,\"unasked_responses\":2,\"events\":null,\"response\":{ \"a\\n\": "
        "1}  }\n"
        "{\"call\":2,\"id\":null,\"tool_name\":null,\"attempts\":1,\"outcome\":\"refused\","
        "\"word\":\"signature_invalid\",\"by\":\"agent_a\",\"claimed\":\"replayed\","
        "\"status\":null,\"duration_ms\":0.000,\"unasked_responses\":0,\"events\":7,\"response\":"
        "null}\n");
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, 0600);
    unlink(path);
}

static void test_results_go_nowhere_else(void **state)
{
    (void)state;
    struct results results;
    char path[] = "/tmp/agent_a_results.XXXXXX";
    assert_non_null(mkdtemp(path));
    char link[64];
    snprintf(link, sizeof link, "%s/link", path);
    assert_int_equal(symlink("target", link), 0);
    assert_int_equal(results_open(&results, link), UV_ELOOP);
    assert_int_equal(results_open(&results, path), UV_EISDIR);
    assert_int_equal(results_open(&results, "/dev/null"), UV_EINVAL);
    unlink(link);
    rmdir(path);
}

/* Nothing is lost in silence. */
static void test_results_on_a_full_disk(void **state)
{
    (void)state;
    struct results results = {.out = {.fd = open("/dev/full", O_WRONLY), .name = "the results"}};
    struct outcome accepted = {0};
    assert_true(results.out.fd >= 0);
    results_write(&results, &(struct result){.call = 1, .attempts = 1, .outcome = &accepted});
    assert_false(results_close(&results));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_events_are_told_by_their_type),
        cmocka_unit_test(test_events_without_a_result_are_no_answer),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_results_go_nowhere_else),
        cmocka_unit_test(test_results_on_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
