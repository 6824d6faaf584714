#include "capturer/capdiff/call_id.h"

#include "capturer/capdiff/memory.h"
#include "lib/json_text.h"

char *call_id_find(struct slice body)
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
