#include "capturer/capdiff/message_view.h"

#include <string.h>
#include <uv.h>

#include "capturer/capdiff/chunks.h"
#include "capturer/capdiff/memory.h"
#include "lib/http_parser.h"

static void collect(void *arg, const char *data, size_t len)
{
    memory_need(buf_append(arg, data, len));
}

static void decode(struct message_view *view, struct slice raw, bool response)
{
    struct http_parser *parser =
        http_parser_new(response ? HTTP_KIND_RESPONSE : HTTP_KIND_REQUEST, collect, &view->decoded);
    enum http_event event = HTTP_EVENT_HEAD;

    if (parser == NULL)
        memory_need(UV_ENOMEM);
    while (raw.len > 0 && event != HTTP_EVENT_MORE && event != HTTP_EVENT_ERROR) {
        size_t used = 0;

        event = http_parser_feed(parser, raw.data, raw.len, &used);
        raw = slice_of(raw.data + used, raw.len - used);
    }
    http_parser_free(parser);
    view->content =
        slice_of(view->decoded.data != NULL ? view->decoded.data : "", view->decoded.len);
}

void message_view_open(struct message_view *view, const struct message *message, bool response)
{
    struct slice raw =
        slice_of(message->raw.data != NULL ? message->raw.data : "", message->raw.len);
    size_t head = message->head_len < raw.len ? (size_t)message->head_len : raw.len;

    memset(view, 0, sizeof(*view));
    buf_init(&view->decoded, raw.len + 1);
    view->head = slice_of(raw.data, head);
    view->body = slice_of(raw.data + head, raw.len - head);
    view->content = view->body;
    view->missing = message->len - raw.len;
    if (message->content_len < message->len - message->head_len && message->head_len > 0 &&
        message->problem == NULL)
        decode(view, raw, response);
}

void message_view_close(struct message_view *view)
{
    buf_deinit(&view->decoded);
}

/* The line that TEXT begins with, without its end, which *REST goes on after. */
static struct slice take_line(struct slice *rest)
{
    const char *eol = memchr(rest->data, '\n', rest->len);
    size_t len = eol != NULL ? (size_t)(eol - rest->data) : rest->len;
    struct slice line =
        slice_of(rest->data, len > 0 && rest->data[len - 1] == '\r' ? len - 1 : len);

    len += eol != NULL;
    *rest = slice_of(rest->data + len, rest->len - len);
    return line;
}

struct slice message_view_field(const struct message_view *view, const char *name)
{
    struct slice rest = view->head, found = {NULL, 0};
    size_t len = strlen(name);

    while (rest.len > 0) {
        struct slice line = take_line(&rest);

        if (line.len == 0 && rest.len > 0)
            found = slice_of(NULL, 0); /* that was an interim response */
        if (found.data == NULL && line.len > len && line.data[len] == ':' &&
            strncasecmp(line.data, name, len) == 0)
            found = slice_trim(slice_of(line.data + len + 1, line.len - len - 1));
    }
    return found;
}

uint64_t message_view_offset(const struct message_view *view, uint64_t offset)
{
    struct slice rest = view->body;
    uint64_t at = view->head.len;
    struct chunk chunk;

    if (view->content.data == view->body.data)
        return view->head.len + offset;
    while (chunks_next(&rest, &chunk)) {
        at = view->head.len + (uint64_t)(chunk.data.data - view->body.data);
        if (offset < chunk.size)
            return at + offset;
        offset -= chunk.size;
        if (chunk.size == 0)
            break;
    }
    return at;
}

/* lib/http_parser refuses what two readers may frame differently. */
enum message_framing message_view_framing(const struct message_view *view, bool response)
{
    if (message_view_field(view, "Transfer-Encoding").data != NULL)
        return MESSAGE_CHUNKED;
    return !response || message_view_field(view, "Content-Length").data != NULL ? MESSAGE_LENGTH
                                                                                : MESSAGE_CLOSE;
}

const char *message_framing_text(enum message_framing framing)
{
    static const char *const texts[MESSAGE_FRAMINGS] = {
        "chunked", "Content-Length", "the connection's end"};

    return texts[framing];
}
