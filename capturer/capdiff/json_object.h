/*
 * Members for the JSON that goes out, in cJSON's trees; memory is there or the run ends (memory.h).
 */
#ifndef CAPDIFF_JSON_OBJECT_H
#define CAPDIFF_JSON_OBJECT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Passes what cJSON returned, unless that is NULL, which ends the run. */
cJSON *json_object_need(cJSON *item) __attribute__((returns_nonnull));

/* TEXT may be NULL: null. */
void json_object_add_text(cJSON *object, const char *name, const char *text);
void json_object_add_number(cJSON *object, const char *name, uint64_t number);

/* RFC 3339, microseconds, UTC; null for 0. */
void json_object_add_time(cJSON *object, const char *name, uint64_t ns);

/* An empty object at the end of ARRAY. */
cJSON *json_object_append(cJSON *array) __attribute__((returns_nonnull));

/* Writes ITEM on lines of its own, or ONE_LINE only, without an end of line, and frees it. */
void json_object_print(cJSON *item, bool one_line, FILE *file);

#endif
