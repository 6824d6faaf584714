#include "mitm_proxy/exchange.h"

#include <stdlib.h>
#include <uv.h>

#include "lib/clock.h"
#include "lib/json_text.h"
#include "lib/spares.h"
#include "mitm_proxy/changes.h"

#define NAME_MAX_LEN 1024UL         /* a longer id or name is none that a person searches for */
#define RULES_MAX (128 * 1024UL)    /* 1000 names of 64 bytes fit */
#define CHANGES_MAX (1024UL * 1024) /* then whole bodies are declared */

struct exchange *exchange_new(
    struct spares *spares, const struct connection *connection, uint64_t id)
{
    struct exchange *exchange = spares ? spares_take(spares) : malloc(sizeof *exchange);
    if (!exchange)
        return NULL;
    memset(exchange, 0, offsetof(struct exchange, line));
    exchange->spares = spares;
    exchange->connection = connection;
    exchange->id = id;
    exchange->started_ns = clock_monotonic_ns();
    exchange->wall_ns = clock_wall_ns();
    buf_init(&exchange->rules, RULES_MAX);
    buf_init(&exchange->changes, CHANGES_MAX);
    buf_init(&exchange->answer, SIZE_MAX);
    buf_init(&exchange->lets_go, SIZE_MAX);
    return exchange;
}

void exchange_free(struct exchange *exchange)
{
    if (!exchange)
        return;
    free(exchange->long_line);
    free(exchange->long_names);
    buf_deinit(&exchange->rules);
    buf_deinit(&exchange->changes);
    buf_deinit(&exchange->answer);
    buf_deinit(&exchange->lets_go);
    tunnel_free(exchange->tunnel);
    free(exchange->own_reason);
    if (exchange->spares)
        spares_give(exchange->spares, exchange);
    else
        free(exchange);
}

/* Copies them, once. 0 or UV_ENOMEM. */
static int set_line(struct exchange *exchange, struct slice method, struct slice target)
{
    char *line = exchange->line;
    if (method.len + target.len > sizeof exchange->line)
        line = exchange->long_line = malloc(method.len + target.len);
    if (!line)
        return UV_ENOMEM;
    if (method.len > 0)
        memcpy(line, method.data, method.len);
    memcpy(line + method.len, target.data, target.len);
    exchange->method = slice_of(method.len > 0 ? line : NULL, method.len);
    exchange->target = slice_of(line + method.len, target.len);
    return 0;
}

int exchange_set_head(struct exchange *exchange, const struct http_head *head)
{
    exchange->head_request = slice_is(head->method, "HEAD");
    exchange->upgrade = head->upgrade;
    exchange->keep_alive = head->keep_alive;
    exchange->http_1_0 = head->version_minor == 0;
    return set_line(exchange, head->method, head->target);
}

void exchange_set_target(struct exchange *exchange, const char *target)
{
    (void)set_line(exchange, slice_of(NULL, 0), slice_str(target));
}

static bool is_scalar(enum json_type type)
{
    return type == JSON_STRING || type == JSON_NUMBER;
}

static struct slice name_of(const struct json_text *json, int value, bool only_string)
{
    enum json_type type = value < 0 ? JSON_NONE : json_text_type(json, value);
    struct slice raw = value < 0 ? slice_of(NULL, 0) : json_text_raw(json, value);
    if (!is_scalar(type) || (only_string && type != JSON_STRING) || raw.len > NAME_MAX_LEN)
        return slice_of(NULL, 0);
    return raw;
}

/* Copies the names into the exchange's own memory. Without that they are absent, and UV_ENOMEM. */
static int keep_names(struct exchange *exchange)
{
    struct slice *names[] = {&exchange->call_id, &exchange->tool_name, &exchange->rpc_method};
    size_t len = names[0]->len + names[1]->len + names[2]->len;
    char *at = exchange->names;
    if (len > sizeof exchange->names) {
        free(exchange->long_names);
        at = exchange->long_names = malloc(len);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct slice name = *names[i];
        *names[i] = slice_of(at && name.data ? at : NULL, at ? name.len : 0);
        if (names[i]->data)
            at = (char *)memcpy(at, name.data, name.len) + name.len;
    }
    return at ? 0 : UV_ENOMEM;
}

void exchange_take_names(struct exchange *exchange, const struct json_text *body)
{
    enum { ID, TOOL_NAME, JSONRPC, METHOD, PARAMS, MEMBERS };
    const struct slice keys[MEMBERS] = {slice_str("id"), slice_str("tool_name"),
        slice_str("jsonrpc"), slice_str("method"), slice_str("params")};
    int values[MEMBERS];
    if (!body || json_text_type(body, 0) != JSON_OBJECT)
        return;
    json_text_members(body, 0, MEMBERS, keys, values);
    exchange->call_id = name_of(body, values[ID], false);
    if (values[JSONRPC] >= 0) {
        exchange->rpc_method = name_of(body, values[METHOD], true);
        exchange->tool_name = name_of(body, json_text_member(body, values[PARAMS], "name"), true);
    } else {
        exchange->tool_name = name_of(body, values[TOOL_NAME], true);
    }
    (void)keep_names(exchange);
}

void exchange_read_names(struct exchange *exchange, struct slice body)
{
    struct json_text *json = json_text_parse(body, NULL, NULL);
    exchange_take_names(exchange, json);
    json_text_free(json);
}

void exchange_note_field(
    struct exchange *exchange, const char *name, struct slice old, struct slice new_value)
{
    struct change change = {.out = &exchange->changes};
    change_note_field(&change, slice_str(name), old, new_value);
}

void exchange_note_rule(struct exchange *exchange, struct slice name)
{
    struct buf *rules = &exchange->rules;
    size_t before = rules->len;
    if (buf_append_str(rules, before > 0 ? ",\"" : "\"") ||
        buf_append(rules, name.data, name.len) || buf_append_char(rules, '"'))
        rules->len = before;
}

struct exchange *exchange_copy_request(const struct exchange *of, struct slice target)
{
    struct exchange *copy = exchange_new(of->spares, of->connection, of->id);
    if (!copy)
        return NULL;
    copy->call_id = of->call_id;
    copy->tool_name = of->tool_name;
    copy->rpc_method = of->rpc_method;
    if (keep_names(copy) || set_line(copy, of->method, target)) {
        exchange_free(copy);
        return NULL;
    }
    copy->request_bytes = of->request_bytes;
    memcpy(copy->request_sha256, of->request_sha256, sizeof copy->request_sha256);
    copy->head_request = of->head_request;
    copy->request_whole = true;
    return copy;
}
