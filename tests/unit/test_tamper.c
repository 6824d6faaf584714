#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "mitm_proxy/tamper.h"
#include "tests/unit/event_outcome.h"
#include "tests/unit/scarce_memory.h"

#define CHANGES_MAX 4096
#define BODY_MAX 4096
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

/* What is done to a response, and what it is then. */
struct tamper_case {
    const char *actions;
    size_t framing;                  /* enum message_framing */
    const char *head, *body;         /* the fields; the body as it came */
    const char *new_head, *new_body; /* NULL: as they came */
    const char *changes;             /* without what begins each: side and rule */
    struct tamper_facts facts;
    const char *passes; /* indexes of steps that are left for the body's way */
    size_t comes;       /* the body comes to them so; where there are any */
    size_t end;         /* 1 + the step that is done instead of passing on; 0: none */
};

#define L MESSAGE_LENGTH
#define K MESSAGE_CHUNKED
#define C MESSAGE_CLOSE
#define GATHERED                                                                                   \
    {                                                                                              \
        .gathered = true                                                                           \
    }
#define EVENTS                                                                                     \
    {                                                                                              \
        .event_stream = true                                                                       \
    }

#define PATCH(path, value)                                                                         \
    "{\"json_patch\":[{\"op\":\"replace\",\"path\":\"" path "\",\"value\":" value "}]}"
#define SET(name, value) "{\"set_field\":{\"name\":\"" name "\",\"value\":\"" value "\"}}"
#define REMOVE(name) "{\"remove_field\":{\"name\":\"" name "\"}}"
#define BODY(text) "{\"replace_body\":{\"text\":\"" text "\"}}"
#define CORRUPT "{\"corrupt\":{\"at_byte\":0,\"xor\":1}}"
#define REFRAME(to) "{\"reframe\":{\"to\":\"" to "\"}}"
#define DROP_EVENT "{\"drop_event\":{\"nth\":1}}"
#define STALL "{\"stall\":{\"after_nth\":1,\"ms\":5}}"
#define SAVE "{\"save\":{\"as\":\"s\"}}"
#define RESPOND_SAVED "{\"respond\":{\"saved\":\"s\"}}"

#define LENGTH(n) "Content-Length: " n "\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define DID(action, rest) "{\"action\":\"" action "\"," rest "}"
#define FIELD(action, name, old, new_value)                                                        \
    DID(action, "\"field\":\"" name "\",\"old\":" old ",\"new\":" new_value)
#define FRAMING(action, old, now)                                                                  \
    DID(action, "\"framing\":{\"old\":\"" old "\",\"new\":\"" now "\"}")
#define FAILED(action, word) DID(action, "\"failed\":\"" word "\",\"reason\":*")
#define POINTER(pointer, old, now)                                                                 \
    DID("json_patch", "\"pointer\":\"" pointer "\",\"old\":\"" old "\",\"new\":\"" now "\"")
#define WHOLE(action) DID(action, "\"body\":{*}")

static const struct tamper_case cases[] = {
    /* the JSON, then what follows from it */
    {PATCH("/a", "10"), L, LENGTH("7"), "{\"a\":1}", LENGTH("8"), "{\"a\":10}",
        POINTER("/a", "1", "10") "," FIELD("json_patch", "Content-Length", "\"7\"", "\"8\""),
        GATHERED, "", L, 0},
    {PATCH("/a", "1"), L, LENGTH("7"), "{\"a\":2}", NULL, "{\"a\":1}", POINTER("/a", "2", "1"),
        GATHERED, "", L, 0},
    {PATCH("/a", "22") "," PATCH("/b", "1"), K, CHUNKED, "7\r\n{\"a\":1}\r\n0\r\n\r\n", NULL,
        "8\r\n{\"a\":22}\r\n0\r\n\r\n",
        POINTER("/a", "1", "22") "," FAILED("json_patch", "path_not_found") "," FRAMING(
            "json_patch", "chunked", "chunked"),
        GATHERED, "", K, 0},
    {PATCH("/a", "1"), C, "", "[1", NULL, NULL, FAILED("json_patch", "not_json"), GATHERED, "", L,
        0},
    /* a patch that fails in its middle does nothing, and says nothing of what it did before */
    {"{\"json_patch\":[{\"op\":\"replace\",\"path\":\"/a\",\"value\":2},{\"op\":\"test\",\"path\":"
     "\"/a\",\"value\":3}]}",
        C, "", "{\"a\":1}", NULL, NULL, FAILED("json_patch", "test_failed"), GATHERED, "", L, 0},
    /* there and back again is no other body */
    {PATCH("/a", "2") "," PATCH("/a", "1"), L, LENGTH("7"), "{\"a\":1}", NULL, NULL,
        POINTER("/a", "1", "2") "," POINTER("/a", "2", "1"), GATHERED, "", L, 0},
    /* fields, in their order; what is so already is no change */
    {SET("a", "c") "," SET("X", "y") "," SET("X", "y") "," REMOVE("B") "," REMOVE("B"), L,
        LENGTH("0") "A: b\r\nb: d\r\n", "", LENGTH("0") "A: c\r\nX: y\r\n", NULL,
        FIELD("set_field", "A", "\"b\"", "\"c\"") "," FIELD(
            "set_field", "X", "null", "\"y\"") "," FIELD("remove_field", "b", "\"d\"", "null"),
        GATHERED, "", L, 0},
    {SET("a", "c"), L, LENGTH("5") "A: b\r\n", "", LENGTH("5") "A: c\r\n", NULL,
        FIELD("set_field", "A", "\"b\"", "\"c\""), {.gathered = false}, "", L, 0},
    /* the whole body, and later edits of it */
    {BODY("xyz"), L, LENGTH("2"), "ab", LENGTH("3"), "xyz",
        WHOLE("replace_body") "," FIELD("replace_body", "Content-Length", "\"2\"", "\"3\""),
        GATHERED, "", L, 0},
    {BODY("ab"), L, LENGTH("2"), "ab", NULL, NULL, "", GATHERED, "", L, 0},
    {BODY("[1]") "," PATCH("/0", "23"), L, LENGTH("2"), "ab", LENGTH("4"), "[23]",
        POINTER("/0", "1", "23") "," WHOLE("replace_body") "," FIELD(
            "replace_body", "Content-Length", "\"2\"", "\"4\""),
        GATHERED, "", L, 0},
    {PATCH("/0", "23") "," BODY("abcdef"), L, LENGTH("3"), "[1]", LENGTH("6"), "abcdef",
        POINTER("/0", "1", "23") "," WHOLE("replace_body") "," FIELD(
            "json_patch", "Content-Length", "\"3\"", "\"6\""),
        GATHERED, "", L, 0},
    {"{\"redigest\":{}}," BODY("x"), C, "A: b\r\n", "abc",
        "A: b\r\nContent-Digest: sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:\r\n", "x",
        FIELD("redigest", "Content-Digest", "null",
            "\"sha-256=:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=:\"") "," WHOLE("replace_body"),
        GATHERED, "", L, 0},
    {BODY("x"), L, LENGTH("5"), "", NULL, NULL, FAILED("replace_body", "no_body"),
        {.gathered = true, .bodiless = true}, "", L, 0},
    /* other framings: of the content as it is then */
    {REFRAME("length"), K, CHUNKED "A: b\r\n", "2\r\nab\r\n0\r\nT: 1\r\n\r\n",
        LENGTH("2") "A: b\r\n", "ab",
        FIELD("reframe", "Transfer-Encoding", "\"chunked\"", "null") "," FIELD("reframe",
            "Content-Length", "null", "\"2\"") "," FRAMING("reframe", "chunked", "length"),
        GATHERED, "", L, 0},
    {REFRAME("length") "," BODY("xyz"), K, CHUNKED, "2\r\nab\r\n0\r\n\r\n", LENGTH("3"), "xyz",
        WHOLE("replace_body") "," FRAMING("replace_body", "chunked", "chunked") "," FIELD(
            "reframe", "Transfer-Encoding", "\"chunked\"", "null") "," FIELD("reframe",
            "Content-Length", "null", "\"3\"") "," FRAMING("reframe", "chunked", "length"),
        GATHERED, "", L, 0},
    {REFRAME("length"), L, LENGTH("2"), "ab", NULL, NULL, "", GATHERED, "", L, 0},
    {REFRAME("chunked"), L, LENGTH("2"), "", CHUNKED, NULL,
        FIELD("reframe", "Content-Length", "\"2\"", "null") "," FIELD("reframe",
            "Transfer-Encoding", "null", "\"chunked\"") "," FRAMING("reframe", "length", "chunked"),
        {.gathered = false}, "0", L, 0},
    {REFRAME("chunked") "," CORRUPT, K, CHUNKED, "", NULL, NULL,
        FRAMING("reframe", "chunked", "chunked"), {.gathered = false}, "01", K, 0},
    {REFRAME("chunked"), C, "", "", CHUNKED, NULL,
        FIELD("reframe", "Transfer-Encoding", "null", "\"chunked\"") "," FRAMING(
            "reframe", "close", "chunked"),
        {.gathered = false}, "0", C, 0},
    {REFRAME("chunked") "," PATCH("/0", "2"), L, LENGTH("3"), "[1]", CHUNKED, "[2]",
        POINTER("/0", "1", "2") "," FIELD("reframe", "Content-Length", "\"3\"", "null") "," FIELD(
            "reframe", "Transfer-Encoding", "null", "\"chunked\"") "," FRAMING("reframe", "length",
            "chunked"),
        GATHERED, "0", L, 0},
    {REFRAME("chunked"), L, LENGTH("2"), "", NULL, NULL, FAILED("reframe", "http_1_0"),
        {.http_1_0 = true}, "", L, 0},
    {REFRAME("chunked") "," CORRUPT, L, LENGTH("0"), "", NULL, NULL, FAILED("reframe", "no_body"),
        {.empty = true}, "1", L, 0},
    {REFRAME("chunked") "," CORRUPT, L, LENGTH("5"), "", NULL, NULL,
        FAILED("reframe", "no_body") "," FAILED("corrupt", "no_body"), {.bodiless = true}, "", L,
        0},
    /* streams of events are not gathered; what only waits leaves the framing */
    {PATCH("/0", "2") "," BODY("x") "," STALL, L, LENGTH("5"), "", NULL, NULL,
        FAILED("json_patch", "event_stream") "," FAILED("replace_body", "event_stream"), EVENTS,
        "2", L, 0},
    {DROP_EVENT "," CORRUPT, L, LENGTH("5"), "", CHUNKED, NULL,
        FIELD("drop_event", "Content-Length", "\"5\"", "null") "," FIELD("drop_event",
            "Transfer-Encoding", "null",
            "\"chunked\"") "," FRAMING("drop_event", "length", "chunked"),
        EVENTS, "01", L, 0},
    {DROP_EVENT "," DROP_EVENT, C, "", "", NULL, NULL, "", EVENTS, "01", C, 0},
    {DROP_EVENT "," STALL, K, CHUNKED, "", NULL, NULL, "", EVENTS, "01", K, 0},
    {DROP_EVENT "," STALL, L, LENGTH("5"), "", NULL, NULL, FAILED("drop_event", "http_1_0"),
        {.event_stream = true, .http_1_0 = true}, "1", L, 0},
    {DROP_EVENT "," CORRUPT, L, LENGTH("5"), "", NULL, NULL,
        FAILED("drop_event", "no_event_stream"), {.gathered = false}, "1", L, 0},
    /* the first end counts; edits come before it, wherever they stand, and are not told of */
    {"{\"drop\":{}}," SET("A", "b") ",{\"reset\":{\"side\":\"both\"}}", L, LENGTH("0"), "",
        LENGTH("0") "A: b\r\n", NULL, "", GATHERED, "", L, 1},
    {RESPOND_SAVED ",{\"drop\":{}}," SAVE, L, LENGTH("2"), "ab", NULL, NULL,
        FAILED("respond", "not_saved") "," DID("save", "\"as\":\"s\""), GATHERED, "", L, 2},
    /* what is answered with was saved before this message */
    {SAVE "," RESPOND_SAVED, L, LENGTH("2"), "ab", NULL, NULL,
        FAILED("respond", "not_saved") "," DID("save", "\"as\":\"s\""), GATHERED, "", L, 0},
};

/* TEXT is what WANTED says, in which a star is anything up to what follows it. */
static bool is_like(struct slice text, const char *wanted)
{
    struct buf glob;
    buf_init(&glob, CHANGES_MAX);
    for (; *wanted != '\0'; wanted++) {
        if (strchr("?[\\", *wanted) != NULL)
            assert_int_equal(buf_append_char(&glob, '\\'), 0);
        assert_int_equal(buf_append_char(&glob, *wanted), 0);
    }
    bool is = rule_glob(slice_of(glob.data, glob.len), text);
    buf_deinit(&glob);
    return is;
}

/* Takes out what each change begins with. */
static void shorten(struct buf *changes)
{
    static const char start[] = "\"side\":\"response\",\"rule\":\"r\",";
    size_t len = sizeof start - 1;
    for (size_t i = 0; i + len <= changes->len; i++) {
        if (memcmp(changes->data + i, start, len) != 0)
            continue;
        memmove(changes->data + i, changes->data + i + len, changes->len - i - len);
        changes->len -= len;
    }
}

static void begin_message(struct message *message, const struct tamper_case *one)
{
    struct buf head;
    buf_init(&head, BODY_MAX);
    message_init(message, BODY_MAX);
    assert_int_equal(buf_printf(&head, "HTTP/1.1 200 OK\r\n%s\r\n", one->head), 0);
    assert_int_equal(
        message_begin(message, slice_of(head.data, head.len), (enum message_framing)one->framing),
        0);
    assert_int_equal(message_append(message, slice_str(one->body)), 0);
    buf_deinit(&head);
}

static void check_message(const struct message *message, const struct tamper_case *one)
{
    const char *fields = one->new_head != NULL ? one->new_head : one->head;
    const char *body = one->new_body != NULL ? one->new_body : one->body;
    struct buf head;
    buf_init(&head, BODY_MAX);
    assert_int_equal(buf_printf(&head, "HTTP/1.1 200 OK\r\n%s\r\n", fields), 0);
    if (!slice_equal(
            slice_of(message->head.data, message->head.len), slice_of(head.data, head.len)))
        fail_msg("%s: %.*s", one->actions, (int)message->head.len, message->head.data);
    if (!slice_is(slice_of(message->body.data, message->body.len), body))
        fail_msg("%s: %.*s", one->actions, (int)message->body.len, message->body.data);
    buf_deinit(&head);
}

static void check_tamper(struct tamper *tamper, const struct tamper_case *one)
{
    char passes[EVENT_ACTIONS_MAX + 1] = "";
    for (size_t i = 0; i < tamper->n_pass; i++) {
        passes[i] = (char)('0' + tamper->pass_steps[i]);
        assert_ptr_equal(tamper->pass_actions[i], tamper->steps[tamper->pass_steps[i]].action);
    }
    assert_string_equal(passes, one->passes);
    if (tamper->n_pass > 0)
        assert_int_equal(tamper->pass_framing, one->comes);
    assert_int_equal(tamper->end_step, one->end > 0 ? one->end - 1 : TAMPER_NONE);
    assert_true(tamper->content_changed || one->new_body == NULL || strstr(one->actions, "length"));
}

/* One tampering, from its beginning to its end. */
struct attempt {
    struct rules *rules;
    struct saved saved;
    struct tamper tamper;
    struct message message;
    struct buf changes;
};

static void attempt_init(struct attempt *attempt, const struct tamper_case *one, size_t changes_max)
{
    attempt->rules = event_rules(slice_str(one->actions));
    attempt->saved.count = 0;
    buf_init(&attempt->changes, changes_max);
    begin_message(&attempt->message, one);
}

static int attempt_edit(struct attempt *attempt, const struct tamper_case *one)
{
    const struct rule *fired = &attempt->rules->list[0];
    struct tamper_facts facts = one->facts;
    facts.response = true;
    facts.saved = &attempt->saved;
    struct content content = {.text = {NULL, 0}};
    int err = tamper_begin(&attempt->tamper, &fired, 1, &facts, &attempt->changes);
    if (!err)
        err = message_content(&attempt->message, &content.text);
    if (!err)
        err = tamper_edit(&attempt->tamper, &attempt->message, &content);
    content_deinit(&content);
    return err;
}

static void attempt_deinit(struct attempt *attempt)
{
    tamper_deinit(&attempt->tamper);
    message_deinit(&attempt->message);
    buf_deinit(&attempt->changes);
    saved_deinit(&attempt->saved);
    rules_free(attempt->rules);
}

/* The changes, with that of the body, are these. */
static void check_changes(struct attempt *attempt, const char *wanted)
{
    const struct change_body digest = {1, "ab"};
    tamper_note_body(&attempt->tamper, TAMPER_NONE, &digest, &digest);
    shorten(&attempt->changes);
    if (!is_like(slice_of(attempt->changes.data, attempt->changes.len), wanted))
        fail_msg("%.*s\nnot %s", (int)attempt->changes.len, attempt->changes.data, wanted);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct attempt attempt;
        attempt_init(&attempt, &cases[i], CHANGES_MAX);
        assert_int_equal(attempt_edit(&attempt, &cases[i]), 0);
        check_message(&attempt.message, &cases[i]);
        check_changes(&attempt, cases[i].changes);
        check_tamper(&attempt.tamper, &cases[i]);
        attempt_deinit(&attempt);
    }
}

/* What is saved is the message as it is at that step. */
static void test_save(void **state)
{
    static const struct tamper_case one = {
        .actions = PATCH("/0", "23") "," SET("A", "b") "," SAVE "," PATCH("/0", "4"),
        .framing = K,
        .head = CHUNKED,
        .body = "3\r\n[1]\r\n0\r\n\r\n",
        .facts = {.gathered = true, .status = 201},
    };
    struct attempt attempt;
    (void)state;
    attempt_init(&attempt, &one, CHANGES_MAX);
    assert_int_equal(attempt_edit(&attempt, &one), 0);
    const struct saved_response *saved = saved_find(&attempt.saved, slice_str("s"));
    assert_non_null(saved);
    assert_int_equal(saved->status, 201);
    assert_int_equal(saved->message.framing, K);
    assert_true(slice_is(slice_of(saved->message.head.data, saved->message.head.len),
        "HTTP/1.1 200 OK\r\n" CHUNKED "A: b\r\n\r\n"));
    assert_true(slice_is(
        slice_of(saved->message.body.data, saved->message.body.len), "4\r\n[23]\r\n0\r\n\r\n"));
    attempt_deinit(&attempt);
}

/* A patch whose notes do not fit declares the body, and no half of itself. */
static void test_notes_do_not_fit(void **state)
{
    static const struct tamper_case one = {
        .actions = "{\"json_patch\":[{\"op\":\"replace\",\"path\":\"/0\",\"value\":2},{\"op\":"
                   "\"replace\",\"path\":\"/1\",\"value\":\"" LONG "\"}]}",
        .framing = C,
        .head = "",
        .body = "[1,2]",
        .facts = GATHERED,
    };
    struct attempt attempt;
    (void)state;
    attempt_init(&attempt, &one, 200);
    assert_int_equal(attempt_edit(&attempt, &one), 0);
    assert_true(slice_is(
        slice_of(attempt.message.body.data, attempt.message.body.len), "[2,\"" LONG "\"]"));
    check_changes(&attempt, WHOLE("json_patch"));
    attempt_deinit(&attempt);
}

/* A rule that is concealed does all the same, and nothing is told. */
static void test_concealed(void **state)
{
    static const struct tamper_case one = {
        .actions = PATCH("/0", "23") "," SET("A", "b") "," PATCH("/9", "1") "," BODY("x") "," SAVE,
        .framing = L,
        .head = LENGTH("3"),
        .body = "[1]",
        .new_head = LENGTH("1") "A: b\r\n",
        .new_body = "x",
        .facts = GATHERED,
    };
    struct attempt attempt;
    (void)state;
    attempt_init(&attempt, &one, CHANGES_MAX);
    attempt.rules->list[0].concealed = true;
    assert_int_equal(attempt_edit(&attempt, &one), 0);
    check_message(&attempt.message, &one);
    check_changes(&attempt, "");
    attempt_deinit(&attempt);
}

/* Wherever memory runs out it says so, or the step is told of as failed. */
static void test_without_memory(void **state)
{
    static const struct tamper_case one = {
        .actions = PATCH("/0", "23") ",{\"redigest\":{}}," SAVE "," BODY("x") "," REFRAME("length"),
        .framing = K,
        .head = CHUNKED,
        .body = "3\r\n[1]\r\n0\r\n\r\n",
        .facts = GATHERED,
    };
    bool done = false;
    long count = 0, ends = 0;
    (void)state;
    for (; !done && count < 200; count++) {
        struct attempt attempt;
        attempt_init(&attempt, &one, CHANGES_MAX);
        assert_int_equal(buf_reserve(&attempt.changes, CHANGES_MAX), 0);
        scarce_memory(count);
        int err = attempt_edit(&attempt, &one);
        scarce_memory(-1);
        struct slice changes = slice_of(attempt.changes.data, attempt.changes.len);
        bool failed = rule_glob(slice_str("*\"no_memory\"*"), changes);
        assert_true(err == 0 || err == UV_ENOMEM);
        ends += err != 0;
        done = err == 0 && !failed;
        attempt_deinit(&attempt);
    }
    assert_true(done && ends > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_save),
        cmocka_unit_test(test_notes_do_not_fit),
        cmocka_unit_test(test_concealed),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
