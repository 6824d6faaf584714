#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mitm_proxy/rules.h"
#include "tests/unit/body_outcome.h"

#define ROUNDS 2000

static struct slice all_of(const struct buf *buf)
{
    return slice_of(buf->data, buf->len);
}

/* A random body, what is done to it, and what should come of its content. */
struct attempt {
    enum message_framing in;
    struct buf content, body, actions, event_actions;
    size_t cut; /* SIZE_MAX: it is not */
    bool chunks;
};

static void put(struct buf *buf, const char *text)
{
    assert_int_equal(buf_append_str(buf, text), 0);
}

static void random_body(struct attempt *attempt)
{
    static const char *const lines[] = {"\n", "\n", "data: a\n", "event: a\n", "\r\n", "\r",
        ":c\r\n", "data\r", "\xef\xbb\xbf", "0\r\n"};
    for (int count = rand() % 12; count > 0; count--)
        put(&attempt->content, lines[(size_t)rand() % (sizeof lines / sizeof lines[0])]);
    struct slice rest = all_of(&attempt->content);
    while (attempt->in == MESSAGE_CHUNKED && rest.len > 0) {
        size_t len = 1 + (size_t)rand() % rest.len;
        assert_int_equal(
            buf_printf(&attempt->body, "0%zX;x\r\n%.*s\r\n", len, (int)len, rest.data), 0);
        rest = slice_of(rest.data + len, rest.len - len);
    }
    if (attempt->in == MESSAGE_CHUNKED)
        put(&attempt->body, "00;l\r\nT: 1\r\n\r\n");
    else if (rest.len > 0)
        assert_int_equal(buf_append(&attempt->body, rest.data, rest.len), 0);
}

/* The first action is one of bytes, done to the content at once; others follow. */
static void random_actions(struct attempt *attempt)
{
    static const char *const events[] = {",{\"drop_event\":{\"nth\":2}}",
        ",{\"drop_event\":{\"type\":\"a\"}}", ",{\"edit_event\":{\"data\":\"b\\nc\"}}",
        ",{\"inject_event\":{\"after_nth\":1,\"data\":\"x\"}}"};
    size_t at = (size_t)rand() % 40, xor = 1 + (size_t)rand() % 255;
    attempt->cut = SIZE_MAX;
    if (rand() % 2) {
        assert_int_equal(buf_printf(&attempt->actions, "{\"truncate\":{\"at_byte\":%zu}}", at), 0);
        if (at < attempt->content.len)
            attempt->cut = attempt->content.len = at;
    } else {
        assert_int_equal(
            buf_printf(&attempt->actions, "{\"corrupt\":{\"at_byte\":%zu,\"xor\":%zu}}", at, xor),
            0);
        if (at < attempt->content.len)
            attempt->content.data[at] = (char)((unsigned char)attempt->content.data[at] ^ xor);
    }
    attempt->chunks = rand() % 3 == 0;
    if (attempt->chunks)
        assert_int_equal(buf_printf(&attempt->actions,
                             ","
                             "{\"reframe\":{\"to\":\"chunked\",\"chunk_bytes\":[%d,%d]}}",
                             1 + rand() % 3, 1 + rand() % 9),
            0);
    for (int count = rand() % 3; count > 0; count--) {
        const char *action = events[(size_t)rand() % (sizeof events / sizeof events[0])];
        put(&attempt->actions, action);
        put(&attempt->event_actions, action + (attempt->event_actions.len == 0));
    }
}

/* The content that should go out. */
static void edit_content(struct attempt *attempt)
{
    struct event_outcome outcome;
    if (attempt->event_actions.len == 0)
        return;
    struct rules *rules = event_rules(all_of(&attempt->event_actions));
    event_edit(rules, all_of(&attempt->content), event_whole, true, &outcome);
    buf_deinit(&attempt->content);
    attempt->content = outcome.bytes;
    buf_deinit(&outcome.told);
    rules_free(rules);
}

static void check_attempt(struct attempt *attempt)
{
    struct rules *rules = event_rules(all_of(&attempt->actions));
    bool anew = attempt->chunks || attempt->event_actions.len > 0;
    struct body_outcome outcome;
    struct buf content;
    struct slice trailers;
    edit_content(attempt);
    body_outcome_pass(rules, attempt->in, all_of(&attempt->body), event_some, rand() % 2, &outcome);
    body_outcome_content(all_of(&outcome.out),
        attempt->in == MESSAGE_CHUNKED ||
            (anew && (attempt->in == MESSAGE_LENGTH || attempt->chunks)),
        &content, &trailers);
    if (!slice_equal(all_of(&content), all_of(&attempt->content)))
        fail_msg("%.*s of \"%.*s\":\n\"%.*s\", not \"%.*s\"", (int)attempt->actions.len,
            attempt->actions.data, (int)attempt->body.len, attempt->body.data, (int)content.len,
            content.data, (int)attempt->content.len, attempt->content.data);
    body_outcome_check_digest(&outcome, all_of(&content));
    assert_int_equal(outcome.cut, attempt->cut != SIZE_MAX);
    if (!outcome.cut && attempt->in == MESSAGE_CHUNKED)
        assert_true(slice_is(trailers, "T: 1\r\n\r\n"));
    buf_deinit(&content);
    body_outcome_deinit(&outcome);
    rules_free(rules);
}

/* Whatever is done in whatever framing: the content is what the actions say, one by one. */
static void test_random(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct attempt attempt = {.in = (enum message_framing[]){
                                      MESSAGE_LENGTH, MESSAGE_CHUNKED, MESSAGE_CLOSE}[rand() % 3]};
        buf_init(&attempt.content, BODY_OUT_MAX);
        buf_init(&attempt.body, BODY_OUT_MAX);
        buf_init(&attempt.actions, BODY_OUT_MAX);
        buf_init(&attempt.event_actions, BODY_OUT_MAX);
        random_body(&attempt);
        random_actions(&attempt);
        check_attempt(&attempt);
        buf_deinit(&attempt.content);
        buf_deinit(&attempt.body);
        buf_deinit(&attempt.actions);
        buf_deinit(&attempt.event_actions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
