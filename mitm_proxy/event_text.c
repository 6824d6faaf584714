#include "mitm_proxy/event_text.h"

#include <stdbool.h>

struct line {
    struct slice text, line_break;
};

/* Takes the first line of REST; its break is empty where REST ends before. */
static struct line next_line(struct slice *rest)
{
    struct line line = {slice_of(rest->data, 0), {NULL, 0}};
    while (line.text.len < rest->len && rest->data[line.text.len] != '\r' &&
           rest->data[line.text.len] != '\n')
        line.text.len++;
    size_t at = line.text.len, end = at;
    if (end < rest->len && rest->data[end] == '\r')
        end++;
    if (end < rest->len && rest->data[end] == '\n')
        end++;
    line.line_break = slice_of(rest->data + at, end - at);
    *rest = slice_of(rest->data + end, rest->len - end);
    return line;
}

static bool starts_with(struct slice text, const char *start)
{
    size_t len = strlen(start);
    return text.len >= len && memcmp(text.data, start, len) == 0;
}

/* The value of a data line; absent where it is another. */
static struct slice data_of(struct slice line)
{
    if (slice_is(line, "data"))
        return slice_of(line.data + line.len, 0);
    if (!starts_with(line, "data:"))
        return slice_of(NULL, 0);
    size_t start = starts_with(line, "data: ") ? 6 : 5;
    return slice_of(line.data + start, line.len - start);
}

int event_text_data(struct slice event, struct buf *out)
{
    bool first = true;
    int err = 0;
    while (event.len > 0 && err == 0) {
        struct slice data = data_of(next_line(&event).text);
        if (data.data == NULL)
            continue;
        err = first ? 0 : buf_append_char(out, '\n');
        if (err == 0)
            err = buf_append(out, data.data, data.len);
        first = false;
    }
    return err;
}

static int put(struct buf *out, struct slice bytes)
{
    return buf_append(out, bytes.data, bytes.len);
}

static int put_data_line(struct slice text, bool space, struct slice line_break, struct buf *out)
{
    space = space || (text.len > 0 && text.data[0] == ' ');
    int err = buf_append_str(out, space ? "data: " : "data:");
    if (err == 0)
        err = put(out, text);
    return err == 0 ? put(out, line_break) : err;
}

static int put_data(struct slice data, bool space, struct slice line_break, struct buf *out)
{
    bool more = true;
    int err = 0;
    while (more && err == 0) {
        struct line line = next_line(&data);
        err = put_data_line(line.text, space, line_break, out);
        more = line.line_break.len > 0; /* then another begins, if only an empty one */
    }
    return err;
}

/*
 * A line goes out that stood before REST. Its LF stays where the CR before it and the LF behind it
 * would now be one CRLF, and a line less.
 */
static int leave_out(struct slice rest, struct buf *out)
{
    bool meet = out->len > 0 && out->data[out->len - 1] == '\r' && starts_with(rest, "\n");
    return meet ? buf_append_char(out, '\n') : 0;
}

int event_text_replace(struct slice event, struct slice data, struct buf *out)
{
    bool first = true;
    int err = 0;
    while (event.len > 0 && err == 0) {
        const char *start = event.data;
        struct line line = next_line(&event);
        if (data_of(line.text).data == NULL) {
            err = put(out, slice_of(start, (size_t)(event.data - start)));
        } else if (first) {
            bool space = line.text.len <= 5 || line.text.data[5] == ' ';
            err = put_data(data, space, line.line_break, out);
            first = false;
        } else {
            err = leave_out(event, out);
        }
    }
    return err;
}

static int put_field(const char *name, struct slice value, const char *line_break, struct buf *out)
{
    int err = value.data == NULL ? 0 : buf_append_str(out, name);
    if (err == 0 && value.data != NULL)
        err = put(out, value);
    return err == 0 && value.data != NULL ? buf_append_str(out, line_break) : err;
}

int event_text_make(
    struct slice type, struct slice id, struct slice data, const char *line_break, struct buf *out)
{
    int err = put_field("event: ", type, line_break, out);
    if (err == 0)
        err = put_field("id: ", id, line_break, out);
    if (err == 0)
        err = put_data(data, true, slice_str(line_break), out);
    return err == 0 ? buf_append_str(out, line_break) : err;
}
