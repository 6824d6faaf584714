#include "lib/json_text.h"

#include <limits.h>
#include <stdlib.h>

#include "lib/json_check.h"

/*
 * jsmn finds the values but checks little of the grammar ("[1 2]", "{,}", "01" and "tru" pass), so
 * json_check goes first and jsmn sees only what RFC 8259 allows. Strict mode would refuse "42" as
 * a document; parent links and the cap on depth keep jsmn linear.
 */
#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include <jsmn.h>

const char JSON_TEXT_NO_MEMORY[] = "there is not enough memory";

struct json_text {
    struct slice text;
    int count;
    /* In document order; `size` is the number of tokens in the subtree, the token included. */
    jsmntok_t tokens[];
};

/* Turns jsmn's child counts into subtree sizes, so that a sibling is one step away. */
static void size_subtrees(struct json_text *json)
{
    for (int i = 0; i < json->count; i++)
        json->tokens[i].size = 1;
    for (int i = json->count - 1; i > 0; i--)
        json->tokens[json->tokens[i].parent].size += json->tokens[i].size;
}

static struct json_text *tokenize(struct slice text, size_t tokens)
{
    struct json_text *json = malloc(sizeof *json + tokens * sizeof json->tokens[0]);
    if (json == NULL)
        return NULL;
    json->text = text;
    jsmn_parser parser;
    jsmn_init(&parser);
    json->count = jsmn_parse(&parser, text.data, text.len, json->tokens, (unsigned int)tokens);
    if (json->count < 1 || (size_t)json->count != tokens) {
        free(json);
        return NULL;
    }
    size_subtrees(json);
    return json;
}

struct json_text *json_text_parse(struct slice text, const char **why, size_t *at)
{
    struct json_check check = {.why = "it is too large"};
    struct json_text *json = NULL;
    if (text.len <= INT_MAX && json_check(text, &check)) {
        json = tokenize(text, check.tokens);
        check.why = json == NULL ? JSON_TEXT_NO_MEMORY : NULL;
    }
    if (why != NULL)
        *why = check.why;
    if (at != NULL)
        *at = check.at;
    return json;
}

void json_text_free(struct json_text *json)
{
    free(json);
}

static const jsmntok_t *token_at(const struct json_text *json, int value)
{
    return value >= 0 && value < json->count ? &json->tokens[value] : NULL;
}

/* The token of a member's key, or NULL. */
static const jsmntok_t *key_of(const struct json_text *json, const jsmntok_t *token)
{
    const jsmntok_t *parent = token == NULL ? NULL : token_at(json, token->parent);
    return parent != NULL && parent->type == JSMN_STRING ? parent : NULL;
}

static struct slice token_raw(const struct json_text *json, const jsmntok_t *token)
{
    int quote = token->type == JSMN_STRING ? 1 : 0;
    return slice_of(json->text.data + token->start - quote,
        (size_t)(token->end - token->start) + 2 * (size_t)quote);
}

enum json_type json_text_type(const struct json_text *json, int value)
{
    const jsmntok_t *token = token_at(json, value);
    if (token == NULL)
        return JSON_NONE;
    switch (json->text.data[token->start - (token->type == JSMN_STRING)]) {
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
    const jsmntok_t *token = token_at(json, value);
    return token == NULL ? slice_of(NULL, 0) : token_raw(json, token);
}

struct slice json_text_key(const struct json_text *json, int value)
{
    const jsmntok_t *key = key_of(json, token_at(json, value));
    return key == NULL ? slice_of(NULL, 0) : token_raw(json, key);
}

int json_text_first(const struct json_text *json, int value)
{
    const jsmntok_t *token = token_at(json, value);
    if (token == NULL || token->size == 1)
        return -1;
    return value + (token->type == JSMN_OBJECT ? 2 : 1); /* past the first key */
}

int json_text_next(const struct json_text *json, int value)
{
    const jsmntok_t *token = token_at(json, value);
    if (token == NULL)
        return -1;
    const jsmntok_t *key = key_of(json, token);
    int container = key != NULL ? key->parent : token->parent;
    int after = value + token->size;
    if (container < 0 || after >= container + json->tokens[container].size)
        return -1;
    return after + (key != NULL ? 1 : 0);
}

static int member_of(const struct json_text *json, int object, struct slice key)
{
    int found = -1;
    if (json_text_type(json, object) != JSON_OBJECT)
        return -1;
    for (int i = json_text_first(json, object); i >= 0; i = json_text_next(json, i)) {
        if (json_string_is(json_text_key(json, i), key))
            found = i;
    }
    return found;
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
