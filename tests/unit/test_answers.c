#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "mitm_proxy/canned.h"
#include "mitm_proxy/saved.h"
#include "tests/unit/event_outcome.h"

#define BODY_MAX 4096

static struct slice all_of(const struct buf *buf)
{
    return slice_of(buf->data, buf->len);
}

/* What respond says, and what is answered. */
static void test_canned(void **state)
{
    static const struct {
        const char *respond;
        bool closes;
        const char *head, *body;
    } cases[] = {
        {"\"status\":200", false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
        {"\"status\":503,\"body\":{\"text\":\"no\"}", true,
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
            "no"},
        {"\"status\":200,\"body\":{\"json\":{\"a\": 9007199254740993}}", false,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 23\r\n\r\n",
            "{\"a\": 9007199254740993}"},
        {"\"status\":200,\"fields\":{\"content-type\":\"a/"
         "b\",\"X\":\"\"},\"body\":{\"text\":\"1\"}",
            false, "HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nX: \r\nContent-Length: 1\r\n\r\n", "1"},
        {"\"status\":204", false, "HTTP/1.1 204 No Content\r\n\r\n", ""},
        {"\"status\":304,\"fields\":{\"ETag\":\"x\"}", true,
            "HTTP/1.1 304 Not Modified\r\nETag: x\r\nConnection: close\r\n\r\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf action;
        struct message message;
        buf_init(&action, BODY_MAX);
        assert_int_equal(buf_printf(&action, "{\"respond\":{%s}}", cases[i].respond), 0);
        struct rules *rules = event_rules(all_of(&action));
        message_init(&message, BODY_MAX);
        assert_int_equal(canned_response(&message, &rules->list[0].actions[0], cases[i].closes), 0);
        if (!slice_is(all_of(&message.head), cases[i].head))
            fail_msg("%.*s", (int)message.head.len, message.head.data);
        assert_true(slice_is(all_of(&message.body), cases[i].body));
        assert_int_equal(message.framing, MESSAGE_LENGTH);
        message_deinit(&message);
        rules_free(rules);
        buf_deinit(&action);
    }
}

static int save(struct saved *saved, const char *name, const char *body, int status)
{
    struct message message;
    message_init(&message, BODY_MAX);
    assert_int_equal(message_begin(&message, slice_str("head"), MESSAGE_CLOSE), 0);
    assert_int_equal(message_append(&message, slice_str(body)), 0);
    int err = saved_put(saved, slice_str(name), &message, status);
    message_deinit(&message);
    return err;
}

/* The last one that was saved by a name is found by it. */
static void test_saved(void **state)
{
    struct saved saved = {.count = 0};
    (void)state;
    assert_null(saved_find(&saved, slice_str("a")));
    assert_int_equal(save(&saved, "a", "one", 200), 0);
    assert_int_equal(save(&saved, "b", "two", 201), 0);
    assert_int_equal(save(&saved, "a", "three", 202), 0);
    assert_int_equal(saved.count, 2);
    const struct saved_response *found = saved_find(&saved, slice_str("a"));
    assert_non_null(found);
    assert_int_equal(found->status, 202);
    assert_int_equal(found->message.framing, MESSAGE_CLOSE);
    assert_true(slice_is(all_of(&found->message.head), "head"));
    assert_true(slice_is(all_of(&found->message.body), "three"));
    assert_null(saved_find(&saved, slice_str("")));
    assert_null(saved_find(&saved, slice_str("ab")));
    saved_deinit(&saved);
    assert_null(saved_find(&saved, slice_str("a")));
}

/* Neither more names nor more bytes than there may be; what is there stays. */
static void test_saved_maximum(void **state)
{
    static char body[SAVED_BYTES_MAX + 1];
    struct saved saved = {.count = 0};
    struct message large;
    char name[8];
    (void)state;
    for (int i = 0; i < SAVED_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(save(&saved, name, name, 200), 0);
    }
    assert_int_equal(save(&saved, "more", "x", 200), UV_ENOBUFS);
    assert_int_equal(save(&saved, "7", "other", 200), 0);
    for (size_t more = 0; more < 2; more++) {
        message_init(&large, sizeof body);
        assert_int_equal(message_begin(&large, slice_str("head"), MESSAGE_LENGTH), 0);
        assert_int_equal(message_append(&large, slice_of(body, SAVED_BYTES_MAX + more)), 0);
        assert_int_equal(saved_put(&saved, slice_str("8"), &large, 200), more ? UV_ENOBUFS : 0);
        message_deinit(&large);
    }
    assert_int_equal(saved_find(&saved, slice_str("8"))->message.body.len, SAVED_BYTES_MAX);
    assert_true(slice_is(all_of(&saved_find(&saved, slice_str("7"))->message.body), "other"));
    saved_deinit(&saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_canned),
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_saved_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
