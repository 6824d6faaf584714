#include "mitm_proxy/canned.h"

#include "lib/http_response.h"
#include "lib/json_text.h"

static bool is_json(struct slice text)
{
    struct json_text *json = json_text_parse(text, NULL, NULL);
    json_text_free(json);
    return json;
}

static int put_field(struct buf *out, struct slice name, struct slice value)
{
    int err = buf_append(out, name.data, name.len);
    if (!err)
        err = buf_append_str(out, ": ");
    if (!err)
        err = buf_append(out, value.data, value.len);
    return err ? err : buf_append_str(out, "\r\n");
}

static int put_fields(struct buf *out, const struct rule_action *respond, bool *has_type)
{
    int err = 0;
    for (size_t i = 0; !err && i < respond->respond.n_fields; i++) {
        const struct rule_field *field = &respond->respond.fields[i];
        *has_type = *has_type || slice_is_nocase(field->name, "Content-Type");
        err = put_field(out, field->name, field->value);
    }
    return err;
}

int canned_response(struct message *message, const struct rule_action *respond, bool closes)
{
    struct buf *out = &message->head;
    int status = (int)respond->respond.status;
    bool has_type = false, has_body = http_status_has_body(status);
    struct slice body = respond->respond.body.given ? respond->respond.body.text : slice_str("");
    int err = buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http_reason(status));
    if (!err)
        err = put_fields(out, respond, &has_type);
    if (!err && has_body && !has_type && is_json(body))
        err = buf_append_str(out, "Content-Type: application/json\r\n");
    if (!err && has_body)
        err = buf_printf(out, "Content-Length: %zu\r\n", body.len);
    if (!err && closes)
        err = buf_append_str(out, "Connection: close\r\n");
    if (!err)
        err = buf_append_str(out, "\r\n");
    message->framing = MESSAGE_LENGTH;
    return err || !has_body ? err : message_append(message, body);
}
