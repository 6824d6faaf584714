#include "lib/json_text.h"

#include <stdlib.h>

#include "lib/json_tokens.h"

const char JSON_TEXT_NO_MEMORY[] = "there is not enough memory";

struct json_text {
    struct slice text;
    struct json_tokens tokens;
};

struct json_text *json_text_parse(struct slice text, const char **why, size_t *at)
{
    struct json_text *json = malloc(sizeof *json);
    const char *reason = JSON_TEXT_NO_MEMORY;
    size_t where = 0;
    if (json != NULL) {
        bool good = json_tokens_read(&json->tokens, text);
        json->text = text;
        reason = json->tokens.why;
        where = json->tokens.at;
        if (!good) {
            json_text_free(json);
            json = NULL;
        }
    }
    if (why != NULL)
        *why = reason;
    if (at != NULL)
        *at = where;
    return json;
}

void json_text_free(struct json_text *json)
{
    if (json == NULL)
        return;
    json_tokens_free(&json->tokens);
    free(json);
}

static const struct json_token *token_at(const struct json_text *json, int value)
{
    return value >= 0 && value < json->tokens.count ? &json->tokens.list[value] : NULL;
}

/* The token of a member's key, or NULL. */
static const struct json_token *key_of(const struct json_text *json, const struct json_token *token)
{
    const struct json_token *parent = token == NULL ? NULL : token_at(json, token->parent);
    return parent != NULL && json->text.data[parent->start] == '"' ? parent : NULL;
}

static struct slice token_raw(const struct json_text *json, const struct json_token *token)
{
    return slice_of(json->text.data + token->start, (size_t)(token->end - token->start));
}

enum json_type json_text_type(const struct json_text *json, int value)
{
    const struct json_token *token = token_at(json, value);
    if (token == NULL)
        return JSON_NONE;
    switch (json->text.data[token->start]) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
        return JSON_TRUE;
    case 'f':
        return JSON_FALSE;
    case 'n':
        return JSON_NULL;
    default:
        return JSON_NUMBER;
    }
}

struct slice json_text_raw(const struct json_text *json, int value)
{
    const struct json_token *token = token_at(json, value);
    return token == NULL ? slice_of(NULL, 0) : token_raw(json, token);
}

struct slice json_text_key(const struct json_text *json, int value)
{
    const struct json_token *key = key_of(json, token_at(json, value));
    return key == NULL ? slice_of(NULL, 0) : token_raw(json, key);
}

int json_text_first(const struct json_text *json, int value)
{
    const struct json_token *token = token_at(json, value);
    if (token == NULL || token->size == 1)
        return -1;
    return value + (json->text.data[token->start] == '{' ? 2 : 1); /* past the first key */
}

int json_text_next(const struct json_text *json, int value)
{
    const struct json_token *token = token_at(json, value);
    if (token == NULL)
        return -1;
    const struct json_token *key = key_of(json, token);
    int container = key != NULL ? key->parent : token->parent;
    int after = value + token->size;
    if (container < 0 || after >= container + json->tokens.list[container].size)
        return -1;
    return after + (key != NULL ? 1 : 0);
}

void json_text_members(
    const struct json_text *json, int object, int count, const struct slice *keys, int *values)
{
    for (int k = 0; k < count; k++)
        values[k] = -1;
    if (json_text_type(json, object) != JSON_OBJECT)
        return;
    const struct json_token *list = json->tokens.list;
    int end = object + list[object].size;
    for (int key = object + 1; key < end; key += 1 + list[key + 1].size)
        for (int k = 0; k < count; k++)
            if (json_string_is(token_raw(json, &list[key]), keys[k]))
                values[k] = key + 1;
}

static int member_of(const struct json_text *json, int object, struct slice key)
{
    int value;
    json_text_members(json, object, 1, &key, &value);
    return value;
}

int json_text_member(const struct json_text *json, int object, const char *key)
{
    return member_of(json, object, slice_str(key));
}

/* RFC 6901 §4: decimal digits without leading zeros; "-" names no element that exists. */
static int element_of(const struct json_text *json, int array, struct slice index)
{
    if (index.len == 0 || index.len > 9 || (index.len > 1 && index.data[0] == '0'))
        return -1;
    int wanted = 0;
    for (size_t i = 0; i < index.len; i++) {
        if (index.data[i] < '0' || index.data[i] > '9')
            return -1;
        wanted = wanted * 10 + (index.data[i] - '0');
    }
    int value = json_text_first(json, array);
    while (value >= 0 && wanted-- > 0)
        value = json_text_next(json, value);
    return value;
}

bool json_reference_decode(struct slice reference, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < reference.len; i++) {
        int c = (unsigned char)reference.data[i];
        if (c == '~') {
            int digit = ++i < reference.len ? reference.data[i] : -1;
            if (digit != '0' && digit != '1')
                return false;
            c = digit == '0' ? '~' : '/';
        }
        out[(*len)++] = (char)c;
    }
    return true;
}

int json_text_find(const struct json_text *json, const char *pointer)
{
    return json_text_at(json, slice_str(pointer));
}

int json_text_at(const struct json_text *json, struct slice pointer)
{
    int value = 0;
    /* Most pointers have nothing to be decoded, and need no memory. */
    bool escaped = pointer.len > 0 && memchr(pointer.data, '~', pointer.len) != NULL;
    char *memory = escaped ? malloc(pointer.len) : NULL;
    if (escaped && memory == NULL)
        return -1;
    while (value >= 0 && pointer.len > 0) {
        const char *slash = memchr(pointer.data + 1, '/', pointer.len - 1);
        size_t len = slash != NULL ? (size_t)(slash - pointer.data) - 1 : pointer.len - 1;
        struct slice key = slice_of(pointer.data + 1, len);
        bool good = *pointer.data == '/';
        if (escaped) {
            good = good && json_reference_decode(key, memory, &key.len);
            key.data = memory;
        }
        if (!good)
            value = -1;
        else if (json_text_type(json, value) == JSON_ARRAY)
            value = element_of(json, value, key);
        else
            value = member_of(json, value, key);
        pointer = slice_of(pointer.data + 1 + len, pointer.len - 1 - len);
    }
    free(memory);
    return value;
}
