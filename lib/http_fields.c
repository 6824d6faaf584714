#include "lib/http_fields.h"

#include <uv.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A fold is a line end with the white space around it (RFC 9112 §5.2). */
static int append_unfolded(struct buf *out, struct slice value)
{
    int status = 0;
    size_t at = 0;
    while (at < value.len && status == 0) {
        size_t end = at;
        while (end < value.len && is_space(value.data[end]))
            end++;
        bool fold = end > at && (memchr(value.data + at, '\n', end - at) != NULL);
        if (fold) {
            status = buf_append_char(out, ' ');
            at = end;
            continue;
        }
        while (end < value.len && !is_space(value.data[end]))
            end++;
        status = buf_append(out, value.data + at, end - at);
        at = end;
    }
    return status;
}

int http_fields_combine(const struct http_head *head, struct slice name, struct buf *out)
{
    bool found = false;
    int status = 0;
    for (size_t i = 0; i < head->n_fields && status == 0; i++) {
        const struct http_field *field = &head->fields[i];
        if (field->name.len != name.len || strncasecmp(field->name.data, name.data, name.len) != 0)
            continue;
        if (found)
            status = buf_append(out, ", ", 2);
        if (status == 0)
            status = append_unfolded(out, slice_trim(field->value));
        found = true;
    }
    return found ? status : UV_ENOENT;
}
