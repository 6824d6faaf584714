#include "capturer/capdiff/json_object.h"

#include <uv.h>

#include "capturer/capdiff/memory.h"
#include "lib/clock.h"

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

void json_object_print(cJSON *item, bool one_line, FILE *file)
{
    char *text = one_line ? cJSON_PrintUnformatted(item) : cJSON_Print(item);

    if (text == NULL)
        memory_need(UV_ENOMEM);
    fputs(text, file);
    cJSON_free(text);
    cJSON_Delete(item);
}
