/* compare.h: two messages in, the places where they differ out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capturer/capdiff/compare.h"
#include "capturer/capdiff/excerpt.h"

#define JSON_HEAD "POST /tool HTTP/1.1\r\nHost: b\r\nContent-Length: %zu\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static const struct compare_terms ALL = {.patch_max = COMPARE_PATCH_MAX};

static void fill(struct message *message, const char *text)
{
    struct message_pool pool;
    struct message_writer writer;
    const char *end = strstr(text, "\r\n\r\n"), *coding = strstr(text, "chunked");
    size_t head = end != NULL ? (size_t)(end + 4 - text) : 0;

    message_init(message);
    message_pool_init(&pool, (size_t)1 << 30);
    message_writer_init(&writer, &pool);
    message_begin(&writer, message);
    message_append(&writer, text, head, 1);
    message->head_len = head;
    if (head > 0 && (coding == NULL || coding > end))
        message_plain(&writer);
    message_append(&writer, text + head, strlen(text + head), 1);
    message_end(&writer, MESSAGE_WHOLE);
    message_writer_deinit(&writer);
    message_pool_deinit(&pool);
}

/* The places as one line each, in a text that the caller frees. */
static char *compared(const char *before, const char *after, bool response)
{
    struct message a, b;
    struct places *places = calloc(1, sizeof(*places));
    char *text = calloc(1, 4096);

    fill(&a, before);
    fill(&b, after);
    compare_messages(&a, &b, response, &ALL, places);
    for (size_t i = 0; i < places->count; i++)
        snprintf(text + strlen(text), 4096 - strlen(text), "%s\n", places->items[i].text);
    places_deinit(places);
    free(places);
    message_deinit(&a);
    message_deinit(&b);
    return text;
}

static void assert_places(const char *before, const char *after, const char *places)
{
    char *text = compared(before, after, strncmp(before, "HTTP/", 5) == 0);

    assert_string_equal(text, places);
    free(text);
}

static const char *with_body(char *out, const char *body)
{
    snprintf(out, 1024, JSON_HEAD "%s", strlen(body), body);
    return out;
}

static void assert_bodies(const char *before, const char *after, const char *places)
{
    char a[1024], b[1024];

    assert_places(with_body(a, before), with_body(b, after), places);
}

static void test_heads(void **state)
{
    (void)state;
    assert_places("GET / HTTP/1.1\r\nA: 1\r\n\r\n", "GET / HTTP/1.1\r\nA: 1\r\n\r\n", "");
    assert_places("GET /a HTTP/1.1\r\nA: 1\r\n\r\n", "GET /b HTTP/1.1\r\nA: 1\r\n\r\n",
        "request start line, its target\n");
    assert_places("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nA: 1\r\nB: 3\r\n\r\n", "request field B\n");
    assert_places("GET / HTTP/1.1\r\nhost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "request field host, letter case of its name\n");
    assert_places("GET / HTTP/1.1\r\nA: 1\r\n\r\n", "GET / HTTP/1.1\r\nA: 1\r\nVia: p\r\n\r\n",
        "request field Via, added\n");
    assert_places("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n", "GET / HTTP/1.1\r\nB: 2\r\n\r\n",
        "request field A, removed\n");
    assert_places("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nB: 2\r\nA: 1\r\n\r\n", "request field A, moved behind B\n");
}

static void test_bodies(void **state)
{
    (void)state;
    assert_bodies("{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "request body, byte 10: /a/b\n");
    assert_bodies("{\"n\":1.0}", "{\"n\":1.1}", "request body, byte 7: /n\n");
    assert_bodies("{\"a\":1,\"b\":2}", "{\"a\":3,\"b\":4}",
        "request body, byte 5: /a\nrequest body, byte 11: /b\n");
    assert_bodies("{\"a\":1}", "{\"a\": 1}",
        "request field Content-Length\nrequest body, byte 5: the whole document, white space "
        "only\n");
    assert_bodies("not JSON", "not json", "request body, byte 4\n");
    assert_bodies("[1,2]", "[1,3]", "request body, byte 3: /1\n");
}

#define GET "GET / HTTP/1.1\r\n"

/* Each thing that can happen to a field is told as what it is. */
static void test_fields(void **state)
{
    (void)state;
    assert_places(
        GET "A: 1\r\n\r\n", GET "A:  1\r\n\r\n", "request field A, spaces around its value\n");
    assert_places(
        GET "A: 1\r\n\r\n", GET "A:1 \r\n\r\n", "request field A, spaces around its value\n");
    assert_places(GET "A: 1\r\n\r\n", GET "a: 2\r\n\r\n",
        "request field A, value and letter case of its name\n");
    assert_places(GET "A: 1\r\n\r\n", GET "A: 1\r\nA: 1\r\n\r\n",
        "request field A, added to one of that name\n");
    assert_places(GET "A: 1\r\na: 2\r\n\r\n", GET "a: 2\r\n\r\n",
        "request field A, removed, and another of that name stays\n");
    assert_places(GET "A: 1\r\nA: 2\r\n\r\n", GET "A: 2\r\nA: 1\r\n\r\n",
        "request field A, moved behind A\n");
    assert_places(GET "A: 1\r\nB: 2\r\nC: 3\r\n\r\n", GET "C: 3\r\nA: 1\r\nB: 2\r\n\r\n",
        "request field C, moved to the front\n");
    assert_places(GET "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n",
        GET "B: 2\r\nC: 3\r\nD: 4\r\nA: 1\r\n\r\n", "request field A, moved behind D\n");
    assert_places(GET "Host: a\r\nB: 2\r\nC: 3\r\n\r\n", GET "B: 2\r\nC: 3\r\nhost: x\r\n\r\n",
        "request field Host, value and letter case of its name\n"
        "request field Host, moved behind C\n");
    assert_places("GET /a HTTP/1.0\r\n\r\n", "GET /b HTTP/1.1\r\n\r\n", "request start line\n");
    assert_places("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n",
        "response start line, its reason phrase\n");
}

#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

static void test_interim_heads(void **state)
{
    char *text;

    (void)state;
    text = compared(CHUNKED "0\r\n\r\n", CONTINUE CHUNKED "0\r\n\r\n", true);
    assert_non_null(strstr(text, "response start line"));
    free(text);
}

static void test_framing(void **state)
{
    (void)state;
    assert_places(CHUNKED "5\r\nhello\r\n0\r\n\r\n", CHUNKED "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "response chunk borders (the content is the same), byte 0\n");
    assert_places(CHUNKED "5\r\nhello\r\n0\r\n\r\n", CHUNKED "05\r\nhello\r\n0\r\n\r\n",
        "response chunk sizes, how they are written (the content is the same), byte 0\n");
    assert_places(CHUNKED "a\r\n0123456789\r\n0\r\n\r\n", CHUNKED "A\r\n0123456789\r\n0\r\n\r\n",
        "response chunk sizes, how they are written (the content is the same), byte 0\n");
    assert_places(CHUNKED "5;x=1\r\nhello\r\n0\r\n\r\n", CHUNKED "5\r\nhello\r\n0\r\n\r\n",
        "response chunk sizes, how they are written (the content is the same), byte 1\n");
    assert_places(CHUNKED "5\r\nhello\r\n0\r\n\r\n", CHUNKED "5\r\nhEllo\r\n0\r\n\r\n",
        "response body, byte 1\n");
    assert_places("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        CHUNKED "5\r\nhello\r\n0\r\n\r\n",
        "response field Content-Length, removed\nresponse field Transfer-Encoding, added\n"
        "response body framing, Content-Length before and chunked after (the content is the same), "
        "byte 0\n");
    assert_places(CHUNKED "5\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello",
        "response field Transfer-Encoding, removed\n"
        "response body framing, chunked before and the connection's end after (the content is the "
        "same), byte 0\n");
}

static void test_trailers(void **state)
{
    (void)state;
    assert_places(CHUNKED "5\r\nhello\r\n0\r\nT: a\r\n\r\n",
        CHUNKED "5\r\nhello\r\n0\r\nT: b\r\n\r\n", "response trailer field T\n");
    assert_places(CHUNKED "5\r\nhello\r\n0\r\nT: a\r\n\r\n", CHUNKED "5\r\nhello\r\n0\r\n\r\n",
        "response trailer field T, removed\n");
    assert_places(CHUNKED "5\r\nhello\r\n0\r\nT: a\r\n\r\n",
        CHUNKED "5\r\nhEllo\r\n0\r\nt: a\r\nU: 1\r\n\r\n",
        "response body, byte 1\nresponse trailer field T, letter case of its name\n"
        "response trailer field U, added\n");
    assert_places(CHUNKED "5\r\nhello\r\n0\r\nT: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "response field Transfer-Encoding, removed\nresponse field Content-Length, added\n"
        "response body framing, chunked before and Content-Length after (the content is the same), "
        "byte 0\nresponse trailer field T, removed\n");
}

/* A head full of fields of one name costs no more than any other. */
static void test_many_fields(void **state)
{
    size_t fields = 15000, size = fields * 16;
    char *a = malloc(size), *b = malloc(size), *text;
    size_t len = (size_t)snprintf(a, size, GET), other = (size_t)snprintf(b, size, GET);

    (void)state;
    for (size_t i = 0; i < fields; i++) {
        len += (size_t)snprintf(a + len, size - len, "A: %zu\r\n", i);
        other += (size_t)snprintf(b + other, size - other, "A: %zu\r\n", fields - i);
    }
    snprintf(a + len, size - len, "\r\n");
    snprintf(b + other, size - other, "\r\n");
    text = compared(a, b, false);
    assert_non_null(strstr(text, "request field A"));
    free(text);
    free(a);
    free(b);
}

static enum place_standing ignore_a(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    (void)arg;
    (void)response;
    (void)before;
    (void)after;
    return kind == PLACE_JSON && slice_is(name, "/a") ? STANDING_IGNORED : STANDING_REAL;
}

/* Content-Length follows from what is ignored; it does not where something else changed too. */
static void test_length_follows_ignored_content(void **state)
{
    char a[1024], b[1024], c[1024];
    struct places *places = calloc(1, sizeof(*places));
    struct compare_terms terms = {.judge = ignore_a, .patch_max = COMPARE_PATCH_MAX};
    struct message x, y, z;

    (void)state;
    fill(&x, with_body(a, "{\"a\":1,\"b\":2}"));
    fill(&y, with_body(b, "{\"a\":1000,\"b\":2}"));
    fill(&z, with_body(c, "{\"a\":1000,\"b\":3}"));
    compare_messages(&x, &y, false, &terms, places);
    assert_int_equal(places->count, 2);
    assert_int_equal(places->items[0].standing, STANDING_IGNORED);
    assert_int_equal(places->items[1].standing, STANDING_IGNORED);
    places_deinit(places);
    compare_messages(&x, &z, false, &terms, places);
    assert_int_equal(places->count, 3);
    assert_int_equal(places->items[0].standing, STANDING_REAL);
    places_deinit(places);
    free(places);
    message_deinit(&x);
    message_deinit(&y);
    message_deinit(&z);
}

/* N fields with VALUE, and a JSON array of N numbers from FIRST on. */
static char *big_message(size_t n, char value, size_t first)
{
    size_t size = 64 * n + 128, len = 0, head;
    char *text = calloc(2, size), *body = calloc(1, size);

    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(body + len, size - len, "%c%zu", i > 0 ? ',' : '[', first + i);
    len += (size_t)snprintf(body + len, size - len, "]");
    head = (size_t)snprintf(text, size, "POST / HTTP/1.1\r\nHost: b\r\n");
    for (size_t i = 0; i < n; i++)
        head += (size_t)snprintf(text + head, size - head, "F%zu: %c\r\n", i, value);
    snprintf(text + head, 2 * size - head, "Content-Length: %zu\r\n\r\n%s", len, body);
    free(body);
    return text;
}

static size_t count_text(const char *text, const char *wanted)
{
    size_t count = 0;

    for (; (text = strstr(text, wanted)) != NULL; text++)
        count++;
    return count;
}

/* Compares two such messages, of which the texts are freed. */
static void compare_big(char *a, char *b, compare_judge_cb judge, struct places *places)
{
    struct compare_terms terms = {.judge = judge, .patch_max = COMPARE_PATCH_MAX};
    struct message x, y;

    fill(&x, a);
    fill(&y, b);
    compare_messages(&x, &y, false, &terms, places);
    message_deinit(&x);
    message_deinit(&y);
    free(a);
    free(b);
}

/* What is not told in detail is counted, and the patch is whole all the same. */
static void test_more_than_is_told(void **state)
{
    const struct place *last;
    struct places places;

    (void)state;
    compare_big(big_message(100, 'x', 1000), big_message(100, 'y', 2000), NULL, &places);
    assert_int_equal(places.told, COMPARE_PLACES_MAX);
    assert_int_equal(places.told + places.more, 200);
    last = &places.items[places.count - 1];
    assert_int_equal(last->kind, PLACE_JSON);
    assert_string_equal(last->name, "/0");
    assert_int_equal(count_text(last->patch, "{\"op\":\"replace\""), 100);
    assert_non_null(strstr(last->patch, "{\"op\":\"replace\",\"path\":\"/99\",\"value\":2099}]"));
    assert_false(last->patch_cut);
    places_deinit(&places);
}

static enum place_standing ignore_all(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    (void)arg;
    (void)kind;
    (void)response;
    (void)name;
    (void)before;
    (void)after;
    return STANDING_IGNORED;
}

static enum place_standing ignore_all_but_99(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    (void)ignore_all(arg, kind, response, name, before, after);
    return slice_is(name, "/99") ? STANDING_REAL : STANDING_IGNORED;
}

/* However many are ignored, they do not count, and what is not ignored is told. */
static void test_many_ignored(void **state)
{
    struct places places;

    (void)state;
    compare_big(big_message(100, 'x', 1000), big_message(100, 'y', 2000), ignore_all, &places);
    assert_int_equal(places.count, 200);
    assert_int_equal(places.told + places.more, 0);
    places_deinit(&places);
    compare_big(
        big_message(100, 'x', 1000), big_message(100, 'y', 2000), ignore_all_but_99, &places);
    assert_int_equal(places.told, 1);
    assert_int_equal(places.more, 0);
    assert_int_equal(count_text(places.items[199].patch, "{\"op\":\"replace\""), 100);
    places_deinit(&places);
}

/* Places that are only counted stand as those that are told. */
static void assert_counted(const char *a, const char *b, compare_judge_cb judge)
{
    struct compare_terms terms = {.judge = judge, .patch_max = COMPARE_PATCH_MAX};
    struct places told, counted;
    struct message x, y;

    fill(&x, a);
    fill(&y, b);
    compare_messages(&x, &y, false, &terms, &told);
    terms.counting = true;
    compare_messages(&x, &y, false, &terms, &counted);
    assert_int_equal(counted.count, told.count);
    assert_int_equal(counted.told, told.told);
    assert_int_equal(counted.more, told.more);
    for (size_t i = 0; i < told.count; i++) {
        assert_int_equal(counted.items[i].kind, told.items[i].kind);
        assert_int_equal(counted.items[i].standing, told.items[i].standing);
        assert_null(counted.items[i].text);
        assert_null(counted.items[i].patch);
    }
    places_deinit(&told);
    places_deinit(&counted);
    message_deinit(&x);
    message_deinit(&y);
}

static void test_counting(void **state)
{
    char a[1024], b[1024], c[1024];
    char *x = big_message(100, 'x', 1000), *y = big_message(100, 'y', 20000);

    (void)state;
    with_body(a, "{\"a\":1,\"b\":2}");
    with_body(b, "{\"a\":1000,\"b\":2}");
    with_body(c, "{\"a\":1000,\"b\":3}");
    assert_counted(a, b, ignore_a);
    assert_counted(a, c, ignore_a);
    assert_counted(a, c, NULL);
    assert_counted(x, y, NULL);
    assert_counted(x, y, ignore_all);
    assert_counted(x, y, ignore_all_but_99);
    free(x);
    free(y);
}

/* Where there is less room for operations, those that fit are told, and that some are missing. */
static void test_patch_room(void **state)
{
    struct compare_terms terms = {.patch_max = 100};
    char a[1024], b[1024];
    struct places places;
    struct message x, y;

    (void)state;
    fill(&x, with_body(a, "[1,2,3,4]"));
    fill(&y, with_body(b, "[5,6,7,8]"));
    compare_messages(&x, &y, false, &terms, &places);
    assert_int_equal(places.count, 4);
    assert_string_equal(
        places.items[1].patch, "[{\"op\":\"replace\",\"path\":\"/1\",\"value\":6}]");
    assert_false(places.items[1].patch_cut);
    assert_null(places.items[2].patch);
    assert_true(places.items[2].patch_cut);
    assert_true(places.items[3].patch_cut);
    places_deinit(&places);
    message_deinit(&x);
    message_deinit(&y);
}

/* A patch has a maximum, and says that it was cut there. */
static void test_patch_is_cut(void **state)
{
    size_t size = 32768, len = 0, deep = 20000, bytes = 0;
    char *a = calloc(1, size), *b = calloc(1, size);
    struct places places;
    bool cut = false;

    (void)state;
    len = (size_t)snprintf(a, size, JSON_HEAD "{\"", size);
    memset(a + len, '/', deep); /* two bytes each in a pointer */
    len += deep;
    len += (size_t)snprintf(a + len, size - len, "\":[0");
    while (len < size - 3)
        len += (size_t)snprintf(a + len, size - len, ",0");
    snprintf(a + len, size - len, "]}");
    memcpy(b, a, size);
    for (char *at = strchr(b, '['); *at != ']'; at += 2)
        at[1] = '1';
    compare_big(a, b, NULL, &places);
    assert_int_equal(places.told, COMPARE_PLACES_MAX);
    for (size_t i = 0; i < places.count; i++) {
        bytes += places.items[i].patch != NULL ? strlen(places.items[i].patch) : 0;
        cut = cut || places.items[i].patch_cut;
    }
    assert_true(cut);
    assert_in_range(bytes, COMPARE_PATCH_MAX / 2, COMPARE_PATCH_MAX + 1024);
    places_deinit(&places);
}

static void test_beyond_what_is_kept(void **state)
{
    size_t len = MESSAGE_KEPT_MAX + 1000;
    char *a = malloc(len + 128), *text;
    size_t head;

    (void)state;
    head = (size_t)snprintf(a, 128, JSON_HEAD, len);
    memset(a + head, 'x', len);
    a[head + len] = '\0';
    char *b = strdup(a);

    b[head + len - 1] = 'y';
    text = compared(a, b, false);
    assert_non_null(strstr(text, "request body, beyond the first 1048576 bytes"));
    free(text);
    b[head + 10] = 'z';
    assert_places(a, b, "request body, byte 10\n");
    memcpy(b, a, head + len + 1);
    memcpy(b, "PUT ", 4); /* and the body is the same */
    memmove(b + 4, b + 5, strlen(b + 5) + 1);
    assert_places(a, b, "request start line, its method\n");
    free(a);
    free(b);
}

static void test_excerpts_are_safe(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {{"plain", "plain"}, {"a\033[31m", "a\\x1b[31m"}, {"\r\n\t\\", "\\r\\n\\t\\\\"},
        {"caf\xc3\xa9", "caf\xc3\xa9"}, {"\xff\xc3", "\\xff\\xc3"}, {"\xc2\x9b", "\\xc2\\x9b"},
        {"\xe2\x80\xae", "\\xe2\\x80\\xae"}, {"\xed\xa0\x80", "\\xed\\xa0\\x80"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *shown = excerpt_text(slice_str(cases[i].text), 100);

        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
    assert_null(excerpt_text(slice_of(NULL, 0), 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_interim_heads),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_length_follows_ignored_content),
        cmocka_unit_test(test_more_than_is_told),
        cmocka_unit_test(test_many_ignored),
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_patch_room),
        cmocka_unit_test(test_patch_is_cut),
        cmocka_unit_test(test_beyond_what_is_kept),
        cmocka_unit_test(test_excerpts_are_safe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
