/* Operations of RFC 6902 as text. */
#include <uv.h>

#include "capturer/capdiff/json_diff.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/redaction.h"
#include "lib/utf8.h"

static bool is_utf8(struct slice text)
{
    while (text.len > 0) {
        size_t len = (unsigned char)text.data[0] < 0x80 ? 1 : utf8_length(text);

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
    if (status == 0 && difference->op != JSON_OP_REMOVE) {
        if (redaction_hides_value(difference->path))
            status = buf_printf(out, "\"[redacted %zu bytes]\"", difference->value.len);
        else
            status = buf_append(out, difference->value.data, difference->value.len);
    }
    return status == 0 ? buf_append_char(out, '}') : status;
}

int json_patch_append(const struct json_difference *difference, struct buf *patch)
{
    size_t before = patch->len, room = patch->max - patch->len;
    struct buf operation;
    int status = 0;

    if (difference->op == JSON_OP_NONE)
        return 0;
    if (room < difference->path.len || room - difference->path.len < difference->value.len)
        return UV_ENOBUFS; /* without a look at each of very many */
    if (difference->cut || !is_utf8(difference->path) || !is_utf8(difference->value))
        return UV_EINVAL;
    buf_init(&operation, room);
    status = append_operation(difference, &operation);
    if (status == 0 && before > 0)
        status = buf_append_char(patch, ',');
    if (status == 0) /* nothing is cut: an escape is at most six times its character */
        status = json_text_line(slice_of(operation.data, operation.len), 6 * operation.len, patch);
    buf_deinit(&operation);
    if (status != UV_ENOBUFS)
        memory_need(status);
    if (status != 0)
        patch->len = before;
    return status;
}
