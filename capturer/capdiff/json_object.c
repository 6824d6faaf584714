#include "capturer/capdiff/json_object.h"

#include <uv.h>

#include "capturer/capdiff/memory.h"
#include "lib/clock.h"
#include "lib/json_text.h"
#include "lib/utf8.h"

cJSON *json_object_need(cJSON *item)
{
    if (item == NULL)
        memory_need(UV_ENOMEM);
    return item;
}

void json_object_add_text(cJSON *object, const char *name, const char *text)
{
    json_object_need(text != NULL ? cJSON_AddStringToObject(object, name, text)
                                  : cJSON_AddNullToObject(object, name));
}

void json_object_add_number(cJSON *object, const char *name, uint64_t number)
{
    json_object_need(cJSON_AddNumberToObject(object, name, (double)number));
}

void json_object_add_time(cJSON *object, const char *name, uint64_t ns)
{
    char text[CLOCK_RFC3339_SIZE];

    json_object_add_text(object, name, ns != 0 ? clock_rfc3339(ns, text) : NULL);
}

cJSON *json_object_append(cJSON *array)
{
    cJSON *object = json_object_need(cJSON_CreateObject());

    cJSON_AddItemToArray(array, object);
    return object;
}

/* cJSON leaves from U+007F on as it is; what is no whole character cannot come from there. */
static void print_visible(struct slice text, FILE *file)
{
    size_t run = 0;

    while (run < text.len) {
        struct slice character = slice_of(text.data + run, 1);
        char escape[JSON_ESCAPE_MAX];

        if ((unsigned char)*character.data >= 0x7f)
            character.len = utf8_length(slice_of(text.data + run, text.len - run));
        if (character.len == 0)
            character.len = 1;
        run += character.len;
        if ((unsigned char)*character.data < 0x7f || !utf8_is_unsafe(character))
            continue;
        fwrite(text.data, 1, run - character.len, file);
        fwrite(escape, 1, json_escape(character, escape), file);
        text = slice_of(text.data + run, text.len - run);
        run = 0;
    }
    fwrite(text.data, 1, text.len, file);
}

void json_object_print(cJSON *item, bool one_line, FILE *file)
{
    char *text = one_line ? cJSON_PrintUnformatted(item) : cJSON_Print(item);

    if (text == NULL)
        memory_gone();
    print_visible(slice_str(text), file);
    cJSON_free(text);
    cJSON_Delete(item);
}
