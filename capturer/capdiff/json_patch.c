/* Operations of RFC 6902 as text. */
#include <stdlib.h>
#include <uv.h>

#include "capturer/capdiff/json_diff.h"
#include "capturer/capdiff/memory.h"
#include "lib/utf8.h"

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

static int append_operation(const struct json_difference *difference, struct buf *out)
{
    static const char *const names[] = {"", "add", "remove", "replace"};
    int status = buf_printf(out, "{\"op\":\"%s\",\"path\":", names[difference->op]);

    if (status == 0)
        status = json_string_encode(difference->path, out);
    if (status == 0 && difference->op != JSON_OP_REMOVE)
        status = buf_append_str(out, ",\"value\":");
    if (status == 0 && difference->op != JSON_OP_REMOVE)
        status = buf_append(out, difference->value.data, difference->value.len);
    return status == 0 ? buf_append_char(out, '}') : status;
}

char *json_patch_text(const struct json_difference *difference, size_t max)
{
    struct buf operation, text;
    int status;

    if (difference->op == JSON_OP_NONE)
        return memory_text("[]", 2);
    if (difference->cut || !is_utf8(difference->path) || !is_utf8(difference->value))
        return NULL;
    buf_init(&operation, max);
    buf_init(&text, max);
    status = append_operation(difference, &operation);
    if (status == 0)
        status = buf_append_char(&text, '[');
    if (status == 0) /* nothing is cut: an escape is at most six times its character */
        status = json_text_line(slice_of(operation.data, operation.len), 6 * operation.len, &text);
    if (status == 0)
        status = buf_append(&text, "]", sizeof("]"));
    buf_deinit(&operation);
    if (status == 0)
        return text.data;
    buf_deinit(&text);
    if (status != UV_ENOBUFS)
        memory_need(status);
    return NULL;
}
