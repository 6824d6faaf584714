#include "capturer/capdiff/har_text.h"

#include "capturer/capdiff/base64.h"
#include "capturer/capdiff/memory.h"
#include "lib/buf.h"
#include "lib/json_text.h"
#include "lib/utf8.h"

#define JSON_BYTE_MAX 6 /* bytes that one byte becomes in a JSON string at most */

void har_string(FILE *file, struct slice text)
{
    struct buf out;

    buf_init(&out, text.len * JSON_BYTE_MAX + 2);
    memory_need(json_string_encode(slice_of(text.data != NULL ? text.data : "", text.len), &out));
    fwrite(out.data, 1, out.len, file);
    buf_deinit(&out);
}

void har_strings(FILE *file, const struct slice *pieces, size_t count)
{
    struct buf all;
    size_t len = 1;

    for (size_t i = 0; i < count; i++)
        len += pieces[i].len;
    buf_init(&all, len);
    for (size_t i = 0; i < count; i++)
        memory_need(buf_append(&all, pieces[i].data, pieces[i].len));
    har_string(file, slice_of(all.data, all.len));
    buf_deinit(&all);
}

static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = utf8_length(text);

        if (len == 0)
            return false;
        text = slice_of(text.data + len, text.len - len);
    }
    return true;
}

void har_body(FILE *file, struct slice body, const char *encoding)
{
    struct buf out;

    fputs("\"text\":", file);
    if (is_utf8(body)) {
        har_string(file, body);
        return;
    }
    buf_init(&out, body.len / 3 * 4 + 8);
    memory_need(base64_append(body, &out));
    fprintf(file, "\"%.*s\",\"%s\":\"base64\"", (int)out.len, out.data, encoding);
    buf_deinit(&out);
}

/* What stands before the first END, which *REST goes on after; all of it where there is none. */
static struct slice take_until(struct slice *rest, char end)
{
    const char *at = rest->len > 0 ? memchr(rest->data, end, rest->len) : NULL;
    size_t len = at != NULL ? (size_t)(at - rest->data) : rest->len;
    struct slice taken = slice_of(rest->data, len);

    len += at != NULL;
    *rest = slice_of(rest->data + len, rest->len - len);
    return taken;
}

static struct slice take_line(struct slice *rest)
{
    struct slice line = take_until(rest, '\n');

    if (line.len > 0 && line.data[line.len - 1] == '\r')
        line.len--;
    return line;
}

struct har_line har_first_line(struct slice head)
{
    struct slice text = take_line(&head);
    struct har_line line;

    line.words[0] = take_until(&text, ' ');
    line.words[1] = take_until(&text, ' ');
    line.words[2] = text;
    return line;
}

struct slice har_last_head(struct slice heads)
{
    struct slice rest = heads, last = heads;

    while (rest.len > 0) {
        if (take_line(&rest).len == 0 && rest.len > 0)
            last = rest;
    }
    return last;
}

static void write_pair(FILE *file, const char *separator, struct slice name, struct slice value)
{
    fprintf(file, "%s{\"name\":", separator);
    har_string(file, name);
    fputs(",\"value\":", file);
    har_string(file, value);
    fputc('}', file);
}

void har_fields(FILE *file, struct slice head)
{
    const char *separator = "";

    fputc('[', file);
    (void)take_line(&head);
    while (head.len > 0) {
        struct slice value = take_line(&head);
        struct slice name = take_until(&value, ':');

        if (name.len == 0)
            continue;
        write_pair(file, separator, name, slice_trim(value));
        separator = ",";
    }
    fputc(']', file);
}

void har_query(FILE *file, struct slice target)
{
    const char *separator = "";

    (void)take_until(&target, '?');
    fputc('[', file);
    while (target.len > 0) {
        struct slice value = take_until(&target, '&');
        struct slice name = take_until(&value, '=');

        write_pair(file, separator, name, value);
        separator = ",";
    }
    fputc(']', file);
}

struct slice har_address(struct slice endpoint)
{
    size_t len = endpoint.len;

    while (len > 0 && endpoint.data[len - 1] != ':')
        len--;
    len -= len > 0;
    if (len >= 2 && endpoint.data[0] == '[')
        return slice_of(endpoint.data + 1, len - 2);
    return slice_of(endpoint.data, len);
}
