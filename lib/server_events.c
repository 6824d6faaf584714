#include "lib/server_events.h"

void server_events_init(
    struct server_events *events, size_t max, server_event_cb on_event, void *arg)
{
    *events = (struct server_events){.on_event = on_event, .arg = arg};
    buf_init(&events->line, max);
    buf_init(&events->type, max);
    buf_init(&events->data, max + 1); /* each line of it brings a line feed, the last one too */
}

void server_events_deinit(struct server_events *events)
{
    buf_deinit(&events->line);
    buf_deinit(&events->type);
    buf_deinit(&events->data);
}

static struct slice content(const struct buf *buf)
{
    return slice_of(buf->len > 0 ? buf->data : "", buf->len);
}

/* A blank line: what came before it is an event if it has data, if only an empty line of it. */
static void dispatch(struct server_events *events)
{
    struct slice type = content(&events->type);
    struct slice data = content(&events->data);
    if (data.len > 0) {
        data.len--; /* the last line feed */
        const struct server_event event = {type.len > 0 ? type : slice_str("message"), data};
        events->on_event(events->arg, &event);
    }
    buf_clear(&events->type);
    buf_clear(&events->data);
}

static int take_field(struct server_events *events, struct slice name, struct slice value)
{
    if (slice_is(name, "event")) {
        buf_clear(&events->type);
        return buf_append(&events->type, value.data, value.len);
    }
    if (!slice_is(name, "data"))
        return 0;
    int status = buf_append(&events->data, value.data, value.len);
    return status == 0 ? buf_append_char(&events->data, '\n') : status;
}

/* A line that begins with a colon is a comment: a field without a name. */
static int take_line(struct server_events *events, struct slice line)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (!events->begun && line.len >= 3 && memcmp(line.data, mark, 3) == 0)
        line = slice_of(line.data + 3, line.len - 3);
    events->begun = true;
    if (line.len == 0) {
        dispatch(events);
        return 0;
    }
    const char *colon = memchr(line.data, ':', line.len);
    if (colon == NULL)
        return take_field(events, line, slice_str(""));
    size_t name_len = (size_t)(colon - line.data);
    size_t skip = name_len + 1;
    if (skip < line.len && line.data[skip] == ' ')
        skip++;
    return take_field(
        events, slice_of(line.data, name_len), slice_of(line.data + skip, line.len - skip));
}

/* How many bytes TEXT has before its first line end. */
static size_t line_length(struct slice text)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != '\r' && text.data[len] != '\n')
        len++;
    return len;
}

int server_events_feed(struct server_events *events, struct slice bytes)
{
    int status = 0;
    while (status == 0 && bytes.len > 0) {
        size_t len = line_length(bytes);
        bool late = events->after_cr && bytes.data[0] == '\n'; /* the half of a CRLF */
        status = buf_append(&events->line, bytes.data, len);
        events->after_cr = len < bytes.len && bytes.data[len] == '\r';
        if (status == 0 && len < bytes.len && !late) {
            status = take_line(events, content(&events->line));
            buf_clear(&events->line);
        }
        len += len < bytes.len ? 1 : 0;
        bytes = slice_of(bytes.data + len, bytes.len - len);
    }
    return status;
}

/* Of the line end that TEXT begins with; 0: it is empty. */
static size_t line_end_length(struct slice text)
{
    bool pair = text.len > 1 && text.data[0] == '\r' && text.data[1] == '\n';
    return pair ? 2 : text.len > 0 ? 1 : 0;
}

int server_events_append(struct buf *out, const char *type, struct slice data)
{
    size_t end = 0;
    int status = buf_printf(out, "event: %s\n", type);
    do {
        size_t len = line_length(data);
        if (status == 0)
            status = buf_append_str(out, "data: ");
        if (status == 0)
            status = buf_append(out, data.data, len);
        if (status == 0)
            status = buf_append_char(out, '\n');
        data = slice_of(data.data + len, data.len - len);
        end = line_end_length(data);
        data = slice_of(data.data + end, data.len - end);
    } while (status == 0 && end > 0);
    return status == 0 ? buf_append_char(out, '\n') : status;
}
