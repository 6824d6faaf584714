/* What the reports are made of: escaping, lines next to each other, base64, the content of bodies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capturer/capdiff/base64.h"
#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/message_view.h"
#include "capturer/capdiff/text_lines.h"

static void assert_written(
    void (*write)(FILE *, struct slice), const char *bytes, size_t len, const char *expected)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);

    assert_non_null(file);
    write(file, slice_of(bytes, len));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(out, expected);
    free(out);
}

static void assert_html(const char *bytes, size_t len, const char *expected)
{
    assert_written(html_bytes, bytes, len, expected);
}

static void html_escapes_markup(void **state)
{
    (void)state;
    assert_html("</script>&\"'", 12, "&lt;/script&gt;&amp;&quot;&#39;");
    assert_html("a\\n \xc3\xa9", 6, "a\\n \xc3\xa9");
    assert_html("", 0, "");
}

static void html_shows_what_hides(void **state)
{
    (void)state;
    assert_html("a\0b\r\n", 5, "a<i>\\x00</i>b<i>\\r\\n</i>");
    assert_html("\xff<\xc3", 3, "<i>\\xff</i>&lt;<i>\\xc3</i>");
    assert_html("\xe2\x80\xae"
                "evil",
        7, "<i>\\xe2\\x80\\xae</i>evil");
    assert_html("\xed\xa0\x80", 3, "<i>\\xed\\xa0\\x80</i>");
}

static void xml_has_only_its_characters(void **state)
{
    (void)state;
    assert_written(xml_bytes, "<\0\xff\xef\xbf\xbe\xef\xbf\xbd\"", 10,
        "&lt;\\x00\\xff\\xef\\xbf\\xbe\xef\xbf\xbd&quot;");
}

static void base64_has_padding(void **state)
{
    static const struct {
        const char *data, *text;
    } cases[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd\x01", "//79AQ=="}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out;

        buf_init(&out, 64);
        assert_int_equal(base64_append(slice_str(cases[i].data), &out), 0);
        assert_int_equal(out.len, strlen(cases[i].text));
        if (out.len > 0)
            assert_memory_equal(out.data, cases[i].text, out.len);
        buf_deinit(&out);
    }
}

/* Every byte stands in one line, in order. */
static void assert_whole(const struct text_lines *lines, const char *text)
{
    const char *at = text;

    for (size_t i = 0; i < lines->count; i++) {
        assert_ptr_equal(lines->items[i].text.data, at);
        at += lines->items[i].text.len;
    }
    assert_int_equal(at - text, strlen(text));
}

static void lines_follow_structure(void **state)
{
    static const char text[] = "{\"a\":[1,{}],\"b\":\"{,\\\"]\"}\r\n";
    static const char *const expected[] = {
        "{", "\"a\":[", "1,", "{}", "],", "\"b\":\"{,\\\"]\"", "}\r\n"};
    static const unsigned indents[] = {0, 1, 2, 2, 1, 1, 0};
    struct text_lines lines = {0};

    (void)state;
    assert_true(text_lines_is_structured(slice_str(text)));
    assert_true(text_lines_is_structured(slice_str("1f\r\n{\"a\"")));
    assert_false(text_lines_is_structured(slice_str("plain {")));
    text_lines_add(&lines, slice_str(text), true);
    assert_whole(&lines, text);
    assert_int_equal(lines.count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_true(slice_is(lines.items[i].text, expected[i]));
        assert_int_equal(lines.items[i].indent, indents[i]);
    }
    text_lines_deinit(&lines);
}

static void lines_are_never_endless(void **state)
{
    char *text = malloc(100001);
    struct text_lines lines = {0};

    (void)state;
    assert_non_null(text);
    memset(text, '}', 100000);
    text[100000] = '\0';
    text_lines_add(&lines, slice_str(text), false);
    assert_whole(&lines, text);
    assert_true(lines.count >= 100000 / TEXT_LINE_MAX);
    text_lines_deinit(&lines);
    free(text);
}

static void assert_aligned(
    const char *before, const char *after, size_t count, const size_t *matches)
{
    struct text_lines a = {0}, b = {0};

    text_lines_add(&a, slice_str(before), false);
    text_lines_add(&b, slice_str(after), false);
    text_lines_align(&a, &b);
    assert_int_equal(a.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(a.items[i].match, matches[i]);
        if (a.items[i].match > 0)
            assert_int_equal(b.items[a.items[i].match - 1].match, i + 1);
    }
    text_lines_deinit(&a);
    text_lines_deinit(&b);
}

static void lines_are_aligned(void **state)
{
    (void)state;
    assert_aligned("x\ny\nz\n", "x\ny\nz\n", 3, (size_t[]){1, 2, 3});
    assert_aligned("x\nA: 1\nz\n", "x\na: 2\nz\n", 3, (size_t[]){1, 2, 3});
    assert_aligned("x\nA: 1\nB: 2\nz\n", "x\nB: 3\nz\n", 4, (size_t[]){1, 0, 2, 3});
    assert_aligned("x\nz\n", "x\nnew: 1\nz\n", 2, (size_t[]){1, 3});
    assert_aligned("a\nb\nc\n", "", 3, (size_t[]){0, 0, 0});
    assert_aligned("a: 1\nb: 2\nc: 3\n", "b: 2\na: 1\nc: 3\n", 3, (size_t[]){0, 1, 3});
}

static void common_parts_split_no_character(void **state)
{
    size_t head, tail;

    (void)state;
    text_lines_common(slice_str("\"d\":2}"), slice_str("\"d\":30}"), &head, &tail);
    assert_int_equal(head, 4);
    assert_int_equal(tail, 1);
    text_lines_common(slice_str("aa"), slice_str("aaa"), &head, &tail);
    assert_int_equal(head, 2);
    assert_int_equal(tail, 0);
    text_lines_common(slice_str("\xc3\xa9"), slice_str("\xc3\xa8"), &head, &tail);
    assert_int_equal(head, 0);
    text_lines_common(slice_str("\xc3\xa9"), slice_str("\xc4\xa9"), &head, &tail);
    assert_int_equal(tail, 0);
}

static void fill(struct message *message, const char *text, size_t head_len, uint64_t content_len)
{
    message_init(message);
    assert_int_equal(buf_append_str(&message->raw, text), 0);
    message->len = message->raw.len;
    message->head_len = head_len;
    message->content_len = content_len;
    message->state = MESSAGE_WHOLE;
}

static void view_takes_chunks_off(void **state)
{
    static const char head[] = "HTTP/1.1 103 Early\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\n"
                               "Content-Type:  a/b \r\nTransfer-Encoding: chunked\r\n\r\n";
    char text[512];
    struct message message;
    struct message_view view;

    (void)state;
    snprintf(text, sizeof(text), "%s2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", head);
    fill(&message, text, strlen(head), 3);
    message_view_open(&view, &message, true);
    assert_true(slice_is(view.head, head));
    assert_true(slice_is(view.body, "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"));
    assert_true(slice_is(view.content, "abc"));
    assert_true(slice_is(message_view_field(&view, "content-type"), "a/b"));
    assert_null(message_view_field(&view, "link").data);
    message_view_close(&view);
    message_deinit(&message);
}

static void view_of_nothing(void **state)
{
    struct message message;
    struct message_view view;

    (void)state;
    message_init(&message);
    message.len = 7;
    message_view_open(&view, &message, false);
    assert_int_equal(view.head.len + view.body.len + view.content.len, 0);
    assert_int_equal(view.missing, 7);
    message_view_close(&view);
    message_deinit(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_escapes_markup),
        cmocka_unit_test(html_shows_what_hides),
        cmocka_unit_test(xml_has_only_its_characters),
        cmocka_unit_test(base64_has_padding),
        cmocka_unit_test(lines_follow_structure),
        cmocka_unit_test(lines_are_never_endless),
        cmocka_unit_test(lines_are_aligned),
        cmocka_unit_test(common_parts_split_no_character),
        cmocka_unit_test(view_takes_chunks_off),
        cmocka_unit_test(view_of_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
