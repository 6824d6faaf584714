/*
 * JSON as anyone may send it: found, compared, decoded and encoded. Input: the text.
 */
#include <string.h>

#include "lib/json_strict.h"
#include "lib/utf8.h"
#include "mitm_proxy/json_equal.h"
#include "tests/fuzz/fuzz.h"

#define OUT_MAX (16UL << 20)
#define EQUAL_MAX 512 /* bytes: the time that comparing takes is a product */

/* A string decoded and encoded is the same string again. */
static void check_string(struct slice raw)
{
    struct buf decoded, encoded, again;
    buf_init(&decoded, OUT_MAX);
    buf_init(&encoded, OUT_MAX);
    buf_init(&again, OUT_MAX);
    PROMISE(json_string_decode(raw, &decoded) == 0);
    struct slice text = slice_of(decoded.data, decoded.len);
    PROMISE(json_string_is(raw, text));
    PROMISE(json_string_encode(text, &encoded) == 0);
    struct json_text *string = json_text_parse(slice_of(encoded.data, encoded.len), NULL, NULL);
    PROMISE(string && json_text_raw(string, 0).len == encoded.len);
    json_text_free(string);
    PROMISE(json_string_decode(slice_of(encoded.data, encoded.len), &again) == 0);
    for (size_t at = 0; at < text.len;) { /* unless there are bytes that are no UTF-8 */
        size_t length = utf8_length(slice_of(text.data + at, text.len - at));
        if (length == 0)
            goto out;
        at += length;
    }
    PROMISE(slice_equal(text, slice_of(again.data, again.len)));
out:
    buf_deinit(&decoded);
    buf_deinit(&encoded);
    buf_deinit(&again);
}

/* All values lie in the text of what they are in. */
static void check_value(const struct json_text *json, int value, struct slice within)
{
    struct slice raw = json_text_raw(json, value);
    enum json_type type = json_text_type(json, value);
    PROMISE(raw.len > 0 && raw.data >= within.data);
    PROMISE(raw.data + raw.len <= within.data + within.len);
    if (type == JSON_STRING)
        check_string(raw);
    if (type == JSON_NUMBER)
        PROMISE(raw.len > EQUAL_MAX || json_number_equal(raw, raw));
    for (int each = json_text_first(json, value); each >= 0; each = json_text_next(json, each)) {
        struct slice key = json_text_key(json, each);
        PROMISE((key.data != NULL) == (type == JSON_OBJECT));
        if (key.data)
            check_string(key);
        check_value(json, each, raw);
    }
}

static void check_document(const struct json_text *json, struct slice text)
{
    check_value(json, 0, text);
    PROMISE(json_text_find(json, "") == 0);
    (void)json_text_find(json, "/a/0/~1");
    (void)json_strict_problem(json, text);
    if (text.len <= EQUAL_MAX)
        PROMISE(json_equal(json, 0, json, 0) != JSON_DIFFERENT);
}

/* What is shown to people has no control, whatever was there. */
static void check_shown(struct slice text)
{
    struct buf line;
    char shown[UTF8_SHOWN_MAX];
    buf_init(&line, OUT_MAX);
    PROMISE(json_text_line(text, 200, &line) == 0);
    PROMISE(line.len == 0 || !memchr(line.data, '\n', line.len));
    buf_deinit(&line);
    for (size_t at = 0, taken; at < text.len; at += taken) {
        size_t len = utf8_show(slice_of(text.data + at, text.len - at), shown, &taken);
        PROMISE(taken > 0 && taken <= text.len - at && len > 0 && len <= UTF8_SHOWN_MAX);
        for (size_t i = 0; i < len; i++)
            PROMISE((unsigned char)shown[i] >= ' ' && shown[i] != 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct slice text = slice_of((const char *)data, len);
    const char *why = NULL;
    size_t at = 0;
    struct json_text *json = json_text_parse(text, &why, &at);
    if (json)
        check_document(json, text);
    else
        PROMISE(why && why[0] && at <= len);
    json_text_free(json);
    check_shown(text);
    return 0;
}
