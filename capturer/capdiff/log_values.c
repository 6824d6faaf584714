#include "capturer/capdiff/log_values.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53: doubles are exact up to here */
#define DIGITS_MAX 15                /* decimal digits that are surely less than that */

static bool has_escapes(struct slice raw)
{
    return memchr(raw.data, '\\', raw.len) != NULL;
}

/* Which of the COUNT names the key is, quotes and all; COUNT: none. */
static size_t name_of(struct slice key, const struct slice *names, size_t count)
{
    struct slice plain = slice_of(key.data + 1, key.len - 2);
    bool escapes = has_escapes(plain);
    size_t i = 0;

    while (i < count && !(escapes ? json_string_is(key, names[i]) : slice_equal(plain, names[i])))
        i++;
    return i;
}

size_t log_find_members(
    const struct json_text *json, int object, const struct slice *names, size_t count, int *values)
{
    size_t over = 0;

    for (size_t i = 0; i < count; i++)
        values[i] = -1;
    if (json_text_type(json, object) != JSON_OBJECT)
        return 0;
    for (int value = json_text_first(json, object); value >= 0;
         value = json_text_next(json, value)) {
        size_t name = name_of(json_text_key(json, value), names, count);

        over += name == count || values[name] >= 0;
        if (name < count)
            values[name] = value;
    }
    return over;
}

char *log_take_slice(const struct json_text *json, int value, struct slice *taken)
{
    struct slice raw = json_text_raw(json, value);
    struct buf text;

    *taken = slice_of(NULL, 0);
    if (json_text_type(json, value) != JSON_STRING)
        return NULL;
    if (!has_escapes(raw)) {
        char *plain = memory_text(raw.data + 1, raw.len - 2);

        *taken = slice_of(plain, raw.len - 2);
        return plain;
    }
    buf_init(&text, raw.len);
    memory_need(json_string_decode(raw, &text));
    memory_need(buf_append_char(&text, '\0'));
    *taken = slice_of(text.data, text.len - 1);
    return text.data;
}

char *log_take_text(const struct json_text *json, int value)
{
    struct slice taken;

    return log_take_slice(json, value, &taken);
}

static bool take_digits(struct slice raw, uint64_t *number)
{
    size_t i = 0;

    *number = 0;
    for (; i < raw.len && i < DIGITS_MAX && raw.data[i] >= '0' && raw.data[i] <= '9'; i++)
        *number = *number * 10 + (uint64_t)(raw.data[i] - '0');
    return i == raw.len;
}

uint64_t log_take_number(const struct json_text *json, int value)
{
    struct slice raw = json_text_raw(json, value);
    uint64_t number;
    double inexact;

    if (json_text_type(json, value) != JSON_NUMBER)
        return 0;
    if (take_digits(raw, &number))
        return number;
    inexact = strtod(raw.data, NULL); /* an object's end is behind it, at the latest */
    return inexact >= 0 && inexact <= EXACT_MAX ? (uint64_t)inexact : 0;
}

bool log_take_count(const struct json_text *json, int value, uint64_t *number)
{
    if (json_text_type(json, value) == JSON_NUMBER &&
        take_digits(json_text_raw(json, value), number))
        return true;
    *number = 0;
    return false;
}
