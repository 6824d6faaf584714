#include "mitm_proxy/message_head.h"

struct field_line {
    size_t at, len; /* in the head, its end included */
    struct slice name, value;
};

/* Behind the start line, before which there may be empty lines (RFC 9112 §2.2). */
static size_t first_line(const struct buf *head)
{
    size_t at = 0;
    while (at < head->len && (head->data[at] == '\r' || head->data[at] == '\n'))
        at++;
    const char *end = memchr(head->data + at, '\n', head->len - at);
    return end ? (size_t)(end - head->data) + 1 : head->len;
}

/* The line at *AT, which is moved behind it; false: the empty line is there. */
static bool next_line(const struct buf *head, size_t *at, struct field_line *line)
{
    const char *start = head->data + *at;
    const char *end = memchr(start, '\n', head->len - *at);
    const char *colon = end ? memchr(start, ':', (size_t)(end - start)) : NULL;
    if (!colon)
        return false;
    const char *text_end = end[-1] == '\r' ? end - 1 : end;
    line->at = *at;
    line->len = (size_t)(end - start) + 1;
    line->name = slice_of(start, (size_t)(colon - start));
    line->value = slice_trim(slice_of(colon + 1, (size_t)(text_end - (colon + 1))));
    *at += line->len;
    return true;
}

/* The first line with that name from AT on. False: *LINE.at is where the fields end. */
static bool find_line(const struct buf *head, size_t at, struct slice name, struct field_line *line)
{
    while (next_line(head, &at, line)) {
        if (line->name.len == name.len && strncasecmp(line->name.data, name.data, name.len) == 0)
            return true;
    }
    line->at = at;
    line->len = 0;
    return false;
}

int message_head_values(
    const struct buf *head, struct slice name, struct slice *shown, struct buf *values)
{
    struct field_line line = {.at = first_line(head)};
    int err = 0;
    *shown = slice_of(NULL, 0);
    while (!err && find_line(head, line.at + line.len, name, &line)) {
        if (shown->data)
            err = buf_append_str(values, ", ");
        else
            *shown = line.name;
        if (!err)
            err = buf_append(values, line.value.data, line.value.len);
    }
    return err;
}

/* There is room for what is put in. */
static void splice(struct buf *head, size_t at, size_t len, struct slice text)
{
    memmove(head->data + at + text.len, head->data + at + len, head->len - at - len);
    if (text.len > 0)
        memcpy(head->data + at, text.data, text.len);
    head->len = head->len - len + text.len;
}

static void remove_from(struct buf *head, size_t at, struct slice name)
{
    struct field_line line;
    while (find_line(head, at, name, &line)) {
        splice(head, line.at, line.len, slice_of(NULL, 0));
        at = line.at;
    }
}

void message_head_remove(struct buf *head, struct slice name)
{
    remove_from(head, first_line(head), name);
}

static void put_line(struct buf *head, size_t at, struct slice name, struct slice value)
{
    splice(head, at, 0, slice_str("\r\n"));
    splice(head, at, 0, value);
    splice(head, at, 0, slice_str(": "));
    splice(head, at, 0, name);
}

int message_head_set(struct buf *head, struct slice name, struct slice value)
{
    struct field_line line;
    int err = buf_reserve(head, name.len + value.len + 4);
    if (err)
        return err;
    if (find_line(head, first_line(head), name, &line)) {
        size_t at = (size_t)(line.value.data - head->data);
        splice(head, at, line.value.len, value);
        remove_from(head, line.at + line.len - line.value.len + value.len, name);
    } else {
        put_line(head, line.at, name, value);
    }
    return 0;
}

int message_head_swap(struct buf *head, struct slice old, struct slice name, struct slice value)
{
    struct field_line line;
    int err = buf_reserve(head, name.len + value.len + 4);
    if (err)
        return err;
    find_line(head, first_line(head), old, &line);
    message_head_remove(head, old);
    put_line(head, line.at, name, value);
    return 0;
}
