#include "mitm_proxy/relay.h"

void relay_begin(struct relay *relay, struct http_parser *parser, const char *data, size_t len)
{
    size_t head_before = http_parser_partial_head(parser).len;
    bool in_head = http_parser_in_head(parser);
    if (!data)
        data = ""; /* of nothing, too, there is a beginning and an end */
    *relay = (struct relay){
        .parser = parser,
        .pos = data,
        .end = data + len,
        .from = data,
        .good = data,
        .message = in_head && head_before == 0 ? data : NULL,
        .head_before = head_before,
        .untouched = in_head,
    };
}

enum http_event relay_next(struct relay *relay)
{
    size_t used;
    enum http_event event =
        http_parser_feed(relay->parser, relay->pos, (size_t)(relay->end - relay->pos), &used);
    relay->pos += used;
    switch (event) {
    case HTTP_EVENT_HEAD:
        relay->prefix = slice_of(http_parser_head(relay->parser)->bytes.data, relay->head_before);
        relay->head_before = 0;
        relay->good = relay->pos;
        break;
    case HTTP_EVENT_END:
        relay->good = relay->pos;
        relay->message = relay->pos;
        relay->untouched = true;
        break;
    case HTTP_EVENT_MORE:
        if (!http_parser_in_head(relay->parser))
            relay->good = relay->pos;
        break;
    case HTTP_EVENT_ERROR:
        relay->good = relay->message ? relay->message : relay->from;
        if (!relay->message)
            relay->prefix = slice_of(NULL, 0);
        break;
    }
    return event;
}

unsigned int relay_runs(struct relay *relay, uv_buf_t runs[2])
{
    unsigned int count = 0;
    /* libuv's buffers are not const, yet a write leaves them alone. */
    if (relay->prefix.len > 0)
        runs[count++] =
            uv_buf_init((char *)(uintptr_t)relay->prefix.data, (unsigned int)relay->prefix.len);
    if (relay->good > relay->from)
        runs[count++] =
            uv_buf_init((char *)(uintptr_t)relay->from, (unsigned int)(relay->good - relay->from));
    relay->prefix = slice_of(NULL, 0);
    relay->from = relay->good;
    relay->untouched = http_parser_in_head(relay->parser);
    return count;
}
