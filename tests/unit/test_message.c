#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "mitm_proxy/message.h"

#define BODY_MAX 4096

/* What was told, as in "Content-Length:5=10; chunked>length; ". */
static struct buf told;

static void add(const char *before, struct slice text)
{
    assert_int_equal(buf_append_str(&told, before), 0);
    if (text.data == NULL)
        text = slice_str("-");
    assert_int_equal(buf_append(&told, text.data, text.len), 0);
}

static void on_field(void *arg, struct slice name, struct slice old, struct slice new_value)
{
    (void)arg;
    add("", name);
    add(":", old);
    add("=", new_value);
    add("; ", slice_str(""));
}

static void on_framing(void *arg, enum message_framing old, enum message_framing now)
{
    (void)arg;
    add("", slice_str(message_framing_name(old)));
    add(">", slice_str(message_framing_name(now)));
    add("; ", slice_str(""));
}

static const struct message_watch watch = {on_field, on_framing, NULL};

/* A whole message and its framing, what is done to it, and what it is then. */
struct message_case {
    enum message_framing framing;
    const char *head, *body;
    const char *text;                /* the new content, or field value */
    const char *new_head, *new_body; /* NULL: as before */
    const char *told;
};

static void begin(struct message *message, const struct message_case *one)
{
    struct slice body = slice_str(one->body);
    buf_init(&told, BODY_MAX);
    message_init(message, BODY_MAX);
    assert_int_equal(message_begin(message, slice_str(one->head), one->framing), 0);
    for (size_t i = 0; i < body.len; i++)
        assert_int_equal(message_append(message, slice_of(body.data + i, 1)), 0);
}

static void check_is(const char *what, const struct buf *is, const char *should)
{
    if (!slice_is(slice_of(is->data, is->len), should))
        fail_msg("%s is \"%.*s\", not \"%s\"", what, (int)is->len, is->data, should);
}

static void check(struct message *message, const struct message_case *one)
{
    check_is("head", &message->head, one->new_head != NULL ? one->new_head : one->head);
    check_is("body", &message->body, one->new_body != NULL ? one->new_body : one->body);
    check_is("told", &told, one->told);
    message_deinit(message);
    buf_deinit(&told);
}

#define EACH(list) for (size_t i = 0; i < sizeof(list) / sizeof(list)[0]; i++)

#define START "POST / HTTP/1.1\r\n"
#define LENGTH(value, end) START "Content-Length:" value "\r\n" end "\r\n"
#define CHUNKED START "transfer-encoding:  Chunked \r\nX: y\r\n\r\n"

static const struct message_case content_cases[] = {
    /* the number follows, and no space around it changes */
    {MESSAGE_LENGTH, LENGTH(" 5", "X: y\r\n"), "hello", "hi", LENGTH(" 2", "X: y\r\n"), "hi",
        "Content-Length:5=2; "},
    {MESSAGE_LENGTH, START "cOnTeNt-lEnGtH:\t 9  \t\r\n\r\n", "012345678", "0123456789",
        START "cOnTeNt-lEnGtH:\t 10  \t\r\n\r\n", "0123456789", "Content-Length:9=10; "},
    {MESSAGE_LENGTH, LENGTH("2", ""), "ab", "", LENGTH("0", ""), "", "Content-Length:2=0; "},
    {MESSAGE_LENGTH, LENGTH("0", ""), "", "ab", LENGTH("2", ""), "ab", "Content-Length:0=2; "},
    {MESSAGE_LENGTH, LENGTH("2", ""), "ab", "ba", NULL, "ba", ""},
    {MESSAGE_LENGTH, LENGTH("2", ""), "ab", "ab", NULL, NULL, ""},
    {MESSAGE_LENGTH, LENGTH("0", ""), "", "", NULL, NULL, ""},
    {MESSAGE_LENGTH, "\r\n\r\n" LENGTH("2", ""), "ab", "a", "\r\n\r\n" LENGTH("1", ""), "a",
        "Content-Length:2=1; "},
    /* there was no body, and so no number */
    {MESSAGE_LENGTH, "GET / HTTP/1.1\r\nHost: b\r\n\r\n", "", "ab",
        "GET / HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n", "ab", "Content-Length:-=2; "},
    {MESSAGE_LENGTH, "GET / HTTP/1.0\r\n\r\n", "", "a",
        "GET / HTTP/1.0\r\nContent-Length: 1\r\n\r\n", "a", "Content-Length:-=1; "},
    {MESSAGE_CLOSE, "HTTP/1.1 200 \r\n\r\n", "ab", "abc", NULL, "abc", ""},
    {MESSAGE_CLOSE, "HTTP/1.1 200 \r\n\r\n", "ab", "", NULL, "", ""},
    /* chunks: those that the change does not touch stay */
    {MESSAGE_CHUNKED, CHUNKED, "3\r\nabc\r\n03;x=\"y\"\r\ndef\r\n0;l\r\nT: 1\r\n\r\n", "abcdXf",
        NULL, "3\r\nabc\r\n03;x=\"y\"\r\ndXf\r\n0;l\r\nT: 1\r\n\r\n", ""},
    {MESSAGE_CHUNKED, CHUNKED, "3\r\nabc\r\n03;x\r\ndef\r\n2 ; y\r\ngh\r\n000\r\n\r\n", "abcdXYfgh",
        NULL, "3\r\nabc\r\n4;x\r\ndXYf\r\n2 ; y\r\ngh\r\n000\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "0000A;x\r\n0123456789\r\n0\r\n\r\n", "012345678X", NULL,
        "0000A;x\r\n012345678X\r\n0\r\n\r\n", ""},
    {MESSAGE_CHUNKED, CHUNKED, "F;x\r\n0123456789abcde\r\n0\r\n\r\n", "0123456789abcdeF", NULL,
        "10;x\r\n0123456789abcdeF\r\n0\r\n\r\n", "chunked>chunked; "},
    /* and borders stay where the length does */
    {MESSAGE_CHUNKED, CHUNKED, "3\r\nabc\r\n003;x\r\ndef\r\n3\r\nghi\r\n0\r\n\r\n", "aXXXXXXXi",
        NULL, "3\r\naXX\r\n003;x\r\nXXX\r\n3\r\nXXi\r\n0\r\n\r\n", ""},
    {MESSAGE_CHUNKED, CHUNKED, "3\r\nabc\r\n03\r\ndef\r\n0\r\n\r\n", "aXXXXXef", NULL,
        "3\r\naXX\r\n5\r\nXXXef\r\n0\r\n\r\n", "chunked>chunked; "},
    /* a chunk that would be empty goes, as an empty one is the last */
    {MESSAGE_CHUNKED, CHUNKED, "3\r\nabc\r\n03;x\r\ndef\r\n3;y\r\nghi\r\n0\r\n\r\n", "abXhi", NULL,
        "3\r\nabX\r\n2;y\r\nhi\r\n0\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "3;a\r\nabc\r\n3;b\r\ndef\r\n0;c\r\nT: 1\r\n\r\n", "", NULL,
        "0;c\r\nT: 1\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "3;a\r\nabc\r\n3;b\r\ndef\r\n0\r\n\r\n", "def", NULL,
        "3;b\r\ndef\r\n0\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "3;a\r\nabc\r\n3;b\r\ndef\r\n0\r\n\r\n", "abc", NULL,
        "3;a\r\nabc\r\n0\r\n\r\n", "chunked>chunked; "},
    /* what is put between two goes into the one behind, and at the end into the last */
    {MESSAGE_CHUNKED, CHUNKED, "2;a\r\nab\r\n02;b\r\ncd\r\n0\r\n\r\n", "abXcd", NULL,
        "2;a\r\nab\r\n3;b\r\nXcd\r\n0\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "02;a\r\nab\r\n02;b\r\ncd\r\n0\r\n\r\n", "abcdX", NULL,
        "02;a\r\nab\r\n3;b\r\ncdX\r\n0\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "02;a\r\nab\r\n02;b\r\ncd\r\n0\r\n\r\n", "Xabcd", NULL,
        "3;a\r\nXab\r\n02;b\r\ncd\r\n0\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "00;c\r\nT: 1\r\n\r\n", "0123456789abcdef", NULL,
        "10\r\n0123456789abcdef\r\n00;c\r\nT: 1\r\n\r\n", "chunked>chunked; "},
    {MESSAGE_CHUNKED, CHUNKED, "02;a\r\nab\r\n00\r\n\r\n", "ab", NULL, NULL, ""},
    {MESSAGE_CHUNKED, CHUNKED, "00\r\n\r\n", "", NULL, NULL, ""},
    /* bytes of the content that look like framing */
    {MESSAGE_CHUNKED, CHUNKED, "a\r\n\r\n0\r\n\r\n1\r\n\r\n2\r\nab\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n1\r\nb", NULL, "a\r\n\r\n0\r\n\r\n1\r\n\r\n1\r\nb\r\n0\r\n\r\n",
        "chunked>chunked; "},
};

static void test_set_content(void **state)
{
    (void)state;
    EACH (content_cases) {
        const struct message_case *one = &content_cases[i];
        struct slice content;
        struct message message;
        begin(&message, one);
        assert_int_equal(message_set_content(&message, slice_str(one->text), &watch), 0);
        assert_int_equal(message_content(&message, &content), 0);
        assert_true(slice_is(content, one->text));
        check(&message, one);
    }
}

#define HEAD(fields) "HTTP/1.1 200 Content-Length: 1\r\n" fields "\r\n"

static const struct message_case set_cases[] = {
    {.head = HEAD("A: b\r\n"), .text = "c", .new_head = HEAD("A: c\r\n"), .told = "A:b=c; "},
    {.head = HEAD("a:b\r\n"), .text = "cd", .new_head = HEAD("a:cd\r\n"), .told = "a:b=cd; "},
    {.head = HEAD("B: A\r\na: \t b \t \r\nC: d\r\n"),
        .text = "c",
        .new_head = HEAD("B: A\r\na: \t c \t \r\nC: d\r\n"),
        .told = "a:b=c; "},
    {.head = HEAD("A:\r\n"), .text = "c", .new_head = HEAD("A:c\r\n"), .told = "A:=c; "},
    {.head = HEAD("A:  \r\n"), .text = "c", .new_head = HEAD("A:  c\r\n"), .told = "A:=c; "},
    {.head = HEAD("A: b\r\n"), .text = "", .new_head = HEAD("A: \r\n"), .told = "A:b=; "},
    {.head = HEAD("A: b:c\r\n"),
        .text = "A: d",
        .new_head = HEAD("A: A: d\r\n"),
        .told = "A:b:c=A: d; "},
    {.head = HEAD("A: b\r\nX: y\r\na: c\r\nAA: e\r\nA:d\r\n"),
        .text = "f",
        .new_head = HEAD("A: f\r\nX: y\r\nAA: e\r\n"),
        .told = "A:b, c, d=f; "},
    {.head = HEAD("A: b\r\na: c\r\n"),
        .text = "longer than both",
        .new_head = HEAD("A: longer than both\r\n"),
        .told = "A:b, c=longer than both; "},
    {.head = HEAD("AB: c\r\n"),
        .text = "d",
        .new_head = HEAD("AB: c\r\nA: d\r\n"),
        .told = "A:-=d; "},
    {.head = HEAD(""), .text = "d", .new_head = HEAD("A: d\r\n"), .told = "A:-=d; "},
    {.head = "\r\n" HEAD(""), .text = "d", .new_head = "\r\n" HEAD("A: d\r\n"), .told = "A:-=d; "},
    {.head = "A: / HTTP/1.1\r\n\r\n",
        .text = "d",
        .new_head = "A: / HTTP/1.1\r\nA: d\r\n\r\n",
        .told = "A:-=d; "},
    {.head = HEAD("A: b\r\n"), .text = "b", .told = ""},
    {.head = HEAD("A:\r\n"), .text = "", .told = ""},
};

static void test_set_field(void **state)
{
    (void)state;
    EACH (set_cases) {
        struct message_case one = set_cases[i];
        struct message message;
        one.body = "";
        begin(&message, &one);
        assert_int_equal(
            message_set_field(&message, slice_str("A"), slice_str(one.text), &watch), 0);
        check(&message, &one);
    }
}

static const struct message_case remove_cases[] = {
    {.head = HEAD("A: b\r\n"), .new_head = HEAD(""), .told = "A:b=-; "},
    {.head = HEAD("a:\r\nB: A\r\n"), .new_head = HEAD("B: A\r\n"), .told = "a:=-; "},
    {.head = HEAD("a: b\r\nA: c\r\nX: y\r\nA:d \r\n"),
        .new_head = HEAD("X: y\r\n"),
        .told = "a:b, c, d=-; "},
    {.head = HEAD("AA: b\r\nB: A: c\r\n"), .told = ""},
    {.head = "A: / HTTP/1.1\r\n\r\n", .told = ""},
};

static void test_remove_field(void **state)
{
    (void)state;
    EACH (remove_cases) {
        struct message_case one = remove_cases[i];
        struct message message;
        one.body = "";
        begin(&message, &one);
        assert_int_equal(message_remove_field(&message, slice_str("A"), &watch), 0);
        check(&message, &one);
    }
}

static const struct message_case chunked_cases[] = {
    {.framing = MESSAGE_LENGTH,
        .head = HEAD("A: b\r\ncontent-length:2 \r\nC: d\r\n"),
        .new_head = HEAD("A: b\r\nTransfer-Encoding: chunked\r\nC: d\r\n"),
        .told = "Content-Length:2=-; Transfer-Encoding:-=chunked; length>chunked; "},
    {.framing = MESSAGE_LENGTH,
        .head = HEAD("Content-Length: 2\r\nA: b\r\nContent-Length: 2\r\n"),
        .new_head = HEAD("Transfer-Encoding: chunked\r\nA: b\r\n"),
        .told = "Content-Length:2, 2=-; Transfer-Encoding:-=chunked; length>chunked; "},
    {.framing = MESSAGE_CLOSE,
        .head = HEAD("A: b\r\n"),
        .new_head = HEAD("A: b\r\nTransfer-Encoding: chunked\r\n"),
        .told = "Transfer-Encoding:-=chunked; close>chunked; "},
    {.framing = MESSAGE_CHUNKED,
        .head = HEAD("Transfer-encoding:Chunked\r\n"),
        .told = "chunked>chunked; "},
};

static void test_set_chunked(void **state)
{
    (void)state;
    EACH (chunked_cases) {
        struct message_case one = chunked_cases[i];
        struct message message;
        one.body = "";
        begin(&message, &one);
        assert_int_equal(message_set_chunked(&message, &watch), 0);
        assert_int_equal(message.framing, MESSAGE_CHUNKED);
        check(&message, &one);
    }
}

static const struct message_case length_cases[] = {
    {.framing = MESSAGE_CHUNKED,
        .head = HEAD("transfer-encoding:chunked\r\nX: y\r\n"),
        .body = "2;a\r\nab\r\n01\r\nc\r\n0\r\nT: 1\r\n\r\n",
        .new_body = "abc",
        .new_head = HEAD("Content-Length: 3\r\nX: y\r\n"),
        .told = "Transfer-Encoding:chunked=-; Content-Length:-=3; chunked>length; "},
    {.framing = MESSAGE_CHUNKED,
        .head = HEAD("Transfer-Encoding: chunked\r\n"),
        .body = "0\r\n\r\n",
        .new_body = "",
        .new_head = HEAD("Content-Length: 0\r\n"),
        .told = "Transfer-Encoding:chunked=-; Content-Length:-=0; chunked>length; "},
    {.framing = MESSAGE_CLOSE,
        .head = HEAD("A: b\r\n"),
        .body = "abc",
        .new_head = HEAD("A: b\r\nContent-Length: 3\r\n"),
        .told = "Content-Length:-=3; close>length; "},
    {.framing = MESSAGE_CLOSE,
        .head = HEAD(""),
        .body = "",
        .new_head = HEAD("Content-Length: 0\r\n"),
        .told = "Content-Length:-=0; close>length; "},
    {.framing = MESSAGE_LENGTH, .head = HEAD("Content-Length:   2\r\n"), .body = "ab", .told = ""},
};

static void test_to_length(void **state)
{
    (void)state;
    EACH (length_cases) {
        struct message message;
        begin(&message, &length_cases[i]);
        assert_int_equal(message_to_length(&message, &watch), 0);
        assert_int_equal(message.framing, MESSAGE_LENGTH);
        check(&message, &length_cases[i]);
    }
}

/* A field that does not fit is not told of, and the head is as it was. */
static void test_field_too_large(void **state)
{
    static char value[300000];
    static const char *const fields[] = {"A: b\r\n", ""};
    (void)state;
    memset(value, 'x', sizeof value);
    EACH (fields) {
        struct message_case one = {.body = "", .told = ""};
        struct message message;
        struct buf head;
        buf_init(&head, BODY_MAX);
        assert_int_equal(buf_printf(&head, "HTTP/1.1 200 \r\n%s\r\n%c", fields[i], 0), 0);
        one.head = head.data;
        begin(&message, &one);
        assert_int_equal(
            message_set_field(&message, slice_str("A"), slice_of(value, sizeof value), &watch),
            UV_ENOBUFS);
        check(&message, &one);
        buf_deinit(&head);
    }
}

/* Past its maximum nothing grows, whoever wants it to; and nobody has to watch. */
static void test_maximum(void **state)
{
    static const struct {
        enum message_framing framing;
        const char *body;
        size_t most; /* bytes of content that fit */
    } cases[] = {
        {MESSAGE_LENGTH, "ab", BODY_MAX},
        {MESSAGE_CLOSE, "", BODY_MAX},
        {MESSAGE_CHUNKED, "1\r\na\r\n0\r\n\r\n", BODY_MAX - 12},
    };
    char content[BODY_MAX + 1];
    (void)state;
    memset(content, 'x', sizeof content);
    EACH (cases) {
        for (size_t more = 0; more < 2; more++) {
            struct message message;
            message_init(&message, BODY_MAX);
            assert_int_equal(message_begin(&message, slice_str(HEAD("")), cases[i].framing), 0);
            assert_int_equal(message_append(&message, slice_str(cases[i].body)), 0);
            assert_int_equal(
                message_set_content(&message, slice_of(content, cases[i].most + more), NULL),
                more ? UV_ENOBUFS : 0);
            message_deinit(&message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_content),
        cmocka_unit_test(test_set_field),
        cmocka_unit_test(test_remove_field),
        cmocka_unit_test(test_set_chunked),
        cmocka_unit_test(test_to_length),
        cmocka_unit_test(test_field_too_large),
        cmocka_unit_test(test_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
