#include "mitm_proxy/exchange.h"

#include <stdlib.h>

#include "lib/clock.h"
#include "lib/json_text.h"

#define NAME_MAX_LEN 1024UL /* a longer id or name is none that a person searches for */
#define NAMES_MAX (3 * NAME_MAX_LEN)
#define CHANGES_MAX (64 * 1024UL)

struct exchange *exchange_new(const struct connection *connection, uint64_t id)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->connection = connection;
    exchange->id = id;
    exchange->started_ns = clock_monotonic_ns();
    exchange->wall_ns = clock_wall_ns();
    buf_init(&exchange->start_line, HTTP_HEAD_MAX);
    buf_init(&exchange->names, NAMES_MAX);
    buf_init(&exchange->changes, CHANGES_MAX);
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    buf_deinit(&exchange->start_line);
    buf_deinit(&exchange->names);
    buf_deinit(&exchange->changes);
    free(exchange);
}

int exchange_set_head(struct exchange *exchange, const struct http_head *head)
{
    int err = buf_append(&exchange->start_line, head->method.data, head->method.len);
    if (!err)
        err = buf_append(&exchange->start_line, head->target.data, head->target.len);
    if (err)
        return err;
    exchange->method = slice_of(exchange->start_line.data, head->method.len);
    exchange->target = slice_of(exchange->start_line.data + head->method.len, head->target.len);
    exchange->head_request = slice_is(head->method, "HEAD");
    exchange->upgrade = head->upgrade;
    return 0;
}

static bool is_scalar(enum json_type type)
{
    return type == JSON_STRING || type == JSON_NUMBER;
}

/* Where in `names` a copy of the value stands: an offset, since the buffer may still move. */
static struct slice keep_name(
    struct exchange *exchange, const struct json_text *json, int value, bool only_string)
{
    enum json_type type = value < 0 ? JSON_NONE : json_text_type(json, value);
    struct slice raw = value < 0 ? slice_of(NULL, 0) : json_text_raw(json, value);
    if (!is_scalar(type) || (only_string && type != JSON_STRING) || raw.len > NAME_MAX_LEN)
        return slice_of(NULL, 0);
    /* The room for three names was reserved, so that these bytes never move. */
    if (buf_append(&exchange->names, raw.data, raw.len))
        return slice_of(NULL, 0);
    return slice_of(exchange->names.data + exchange->names.len - raw.len, raw.len);
}

void exchange_read_names(struct exchange *exchange, struct slice body)
{
    struct json_text *json = json_text_parse(body, NULL, NULL);
    if (!json)
        return;
    if (json_text_type(json, 0) == JSON_OBJECT && buf_reserve(&exchange->names, NAMES_MAX) == 0) {
        int rpc = json_text_member(json, 0, "jsonrpc");
        exchange->call_id = keep_name(exchange, json, json_text_member(json, 0, "id"), false);
        if (rpc >= 0) {
            exchange->rpc_method =
                keep_name(exchange, json, json_text_member(json, 0, "method"), true);
            exchange->tool_name =
                keep_name(exchange, json, json_text_find(json, "/params/name"), true);
        } else {
            exchange->tool_name =
                keep_name(exchange, json, json_text_member(json, 0, "tool_name"), true);
        }
    }
    json_text_free(json);
}

void exchange_note_field(
    struct exchange *exchange, const char *name, struct slice old, struct slice new_value)
{
    struct buf *out = &exchange->changes;
    size_t before = out->len;
    int err = buf_printf(
        out, "%s{\"side\":\"request\",\"field\":\"%s\",\"old\":", before ? "," : "", name);
    if (!err)
        err = json_string_encode(old, out);
    if (!err)
        err = buf_append_str(out, ",\"new\":");
    if (!err)
        err = json_string_encode(new_value, out);
    if (!err)
        err = buf_append_char(out, '}');
    if (err)
        out->len = before; /* half a note would break the record */
}
