#include "capturer/capdiff/call_id.h"

#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_view.h"
#include "lib/json_text.h"

static char *find(struct slice body)
{
    struct json_text *json = NULL;
    char *call_id = NULL;
    struct buf text;
    int id;

    if (body.len > 0 && body.data[0] == '{')
        json = json_text_parse(body, NULL, NULL);
    if (json == NULL)
        return NULL;
    id = json_text_member(json, 0, "id");
    buf_init(&text, CALL_ID_MAX);
    if (json_text_type(json, id) == JSON_STRING &&
        json_string_decode(json_text_raw(json, id), &text) == 0)
        call_id = memory_text(text.data, text.len);
    else if (json_text_type(json, id) == JSON_NUMBER && json_text_raw(json, id).len <= CALL_ID_MAX)
        call_id = memory_text(json_text_raw(json, id).data, json_text_raw(json, id).len);
    buf_deinit(&text);
    json_text_free(json);
    return call_id;
}

const char *exchange_call_id(const struct exchange *exchange)
{
    struct exchange *kept = (struct exchange *)(uintptr_t)exchange; /* remembers the answer */
    const struct message *request = &exchange->request;
    struct message_view view;

    if (exchange->named || request->state != MESSAGE_WHOLE)
        return exchange->call_id;
    kept->named = true;
    if (request->raw.len != request->len || request->content_len > CALL_ID_BODY_MAX)
        return NULL;
    message_view_open(&view, request, false);
    kept->call_id = find(view.content);
    message_view_close(&view);
    return exchange->call_id;
}
