#include "lib/json_tokens.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text_run.h"

/*
 * A function that checks is given where in the text something begins, and returns where it ends, or
 * NULL when it is not good: then the tokens say why and where.
 */
struct check {
    const char *start, *end; /* of the text */
    struct json_tokens *tokens;
    int parent; /* of the next value */
    unsigned int depth;
    int *open; /* the tokens of the containers that are open */
};

static int peek(const struct check *check, const char *at)
{
    return at < check->end ? (unsigned char)*at : -1;
}

static const char *fail(struct check *check, const char *at, const char *why)
{
    check->tokens->why = at < check->end ? why : "the text ends too early";
    check->tokens->at = (size_t)(at - check->start);
    return NULL;
}

_Static_assert(JSON_TEXT_TOKENS_MAX % JSON_TOKENS_FIRST == 0, "room is doubled up to the maximum");

/* There is none for a token at AT. */
static bool make_room(struct check *check, const char *at)
{
    struct json_tokens *tokens = check->tokens;
    bool first = tokens->list == tokens->first;
    if (tokens->room == JSON_TEXT_TOKENS_MAX)
        return fail(check, at, "it has too many values");
    size_t len = (size_t)tokens->room * sizeof *tokens->list;
    struct json_token *list = realloc(first ? NULL : tokens->list, 2 * len);
    if (!list) {
        fail(check, at, "");
        tokens->why = JSON_TEXT_NO_MEMORY;
        return false;
    }
    if (first)
        memcpy(list, tokens->first, len);
    tokens->list = list;
    tokens->room *= 2;
    return true;
}

/* A value or a key begins at AT: its token, or NULL. */
static inline struct json_token *add_token(struct check *check, const char *at)
{
    struct json_tokens *tokens = check->tokens;
    if (tokens->count == tokens->room && !make_room(check, at))
        return NULL;
    struct json_token *token = &tokens->list[tokens->count++];
    token->start = (int)(at - check->start);
    token->parent = check->parent;
    token->size = 1;
    return token;
}

static const char *skip_space(const struct check *check, const char *at)
{
    while (at < check->end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const char *check_escape(struct check *check, const char *at)
{
    int c = peek(check, ++at);
    if (c <= 0 || strchr("\"\\/bfnrtu", c) == NULL)
        return fail(check, at, "a string has an unknown escape");
    at++;
    for (int i = 0; c == 'u' && i < 4; i++, at++) {
        if (!is_hex(peek(check, at)))
            return fail(check, at, "\\u needs four hexadecimal digits");
    }
    return at;
}

/* What does not stand for itself in a string. */
static uint64_t ends_plain(uint64_t word)
{
    return (word_below(word, ' ') | word_equal(word, '"') | word_equal(word, '\\')) & ~word;
}

static const char *skip_plain(const struct check *check, const char *at)
{
    return at + text_run(slice_of(at, (size_t)(check->end - at)), ends_plain);
}

/* A string's end, which begins with what does not stand for itself. Seldom more than its quote. */
static __attribute__((noinline)) const char *check_escaped(struct check *check, const char *at)
{
    while (at && peek(check, at) != '"') {
        if (peek(check, at) != '\\')
            return fail(check, at, "a control character in a string must be escaped");
        at = check_escape(check, at);
        at = at ? skip_plain(check, at) : NULL;
    }
    return at ? at + 1 : NULL;
}

static inline const char *check_string(struct check *check, const char *at)
{
    at = skip_plain(check, at + 1);
    return peek(check, at) == '"' ? at + 1 : check_escaped(check, at);
}

static const char *check_digits(struct check *check, const char *at)
{
    if (!is_digit(peek(check, at)))
        return fail(check, at, "a number needs a digit here");
    while (is_digit(peek(check, at)))
        at++;
    return at;
}

static const char *check_number(struct check *check, const char *at)
{
    if (*at == '-')
        at++;
    if (peek(check, at) == '0')
        at++; /* a digit after it is caught as what follows the value */
    else
        at = check_digits(check, at);
    if (at && peek(check, at) == '.')
        at = check_digits(check, at + 1);
    if (at && (peek(check, at) == 'e' || peek(check, at) == 'E')) {
        at++;
        if (peek(check, at) == '+' || peek(check, at) == '-')
            at++;
        at = check_digits(check, at);
    }
    return at;
}

static const char *check_literal(struct check *check, const char *at, const char *literal)
{
    for (; *literal != '\0'; literal++, at++) {
        if (peek(check, at) != *literal)
            return fail(check, at, "a value is neither true, false nor null");
    }
    return at;
}

static const char *check_scalar(struct check *check, const char *at)
{
    int c = peek(check, at);
    if (c == '"')
        return check_string(check, at);
    if (c == 't')
        return check_literal(check, at, "true");
    if (c == 'f')
        return check_literal(check, at, "false");
    if (c == 'n')
        return check_literal(check, at, "null");
    if (c == '-' || is_digit(c))
        return check_number(check, at);
    return fail(check, at, "a value is expected here");
}

/* A key and its colon. */
static const char *check_key(struct check *check, const char *at)
{
    at = skip_space(check, at);
    if (peek(check, at) != '"')
        return fail(check, at, "a key in double quotes is expected here");
    check->parent = check->open[check->depth - 1];
    struct json_token *key = add_token(check, at);
    at = key ? check_string(check, at) : NULL;
    if (!at)
        return NULL;
    key->end = (int)(at - check->start);
    check->parent = check->tokens->count - 1;
    at = skip_space(check, at);
    return peek(check, at) == ':' ? at + 1 : fail(check, at, "a colon is expected here");
}

static bool is_object(const struct check *check, int container)
{
    return check->start[check->tokens->list[container].start] == '{';
}

/* What stands before the next value of the container that is open, behind its opener or a comma. */
static const char *check_before(struct check *check, const char *at)
{
    int container = check->open[check->depth - 1];
    if (is_object(check, container))
        return check_key(check, at);
    check->parent = container;
    return at;
}

/* A scalar, an empty container up to its end, or *NEXT: one with a value that comes next. */
static const char *check_value(struct check *check, const char *at, bool *next)
{
    at = skip_space(check, at);
    int c = peek(check, at);
    struct json_token *token = add_token(check, at);
    *next = false;
    if (!token)
        return NULL;
    if (c != '{' && c != '[') {
        at = check_scalar(check, at);
        if (at)
            token->end = (int)(at - check->start);
        return at;
    }
    if (check->depth == JSON_TEXT_DEPTH_MAX)
        return fail(check, at, "it is nested too deeply");
    check->open[check->depth++] = check->tokens->count - 1;
    at = skip_space(check, at + 1);
    *next = peek(check, at) != (c == '{' ? '}' : ']');
    return *next ? check_before(check, at) : at;
}

/* What may follow a whole value in a container: its end, or a comma and then *NEXT. */
static const char *check_after(struct check *check, const char *at, bool *next)
{
    int container = check->open[check->depth - 1];
    bool object = is_object(check, container);
    at = skip_space(check, at);
    int c = peek(check, at);
    if (c == ',') {
        *next = true;
        return check_before(check, at + 1);
    }
    if (c != (object ? '}' : ']'))
        return fail(
            check, at, object ? "a comma or } is expected here" : "a comma or ] is expected here");
    struct json_token *token = &check->tokens->list[container];
    token->end = (int)(at + 1 - check->start);
    token->size = check->tokens->count - container;
    check->depth--;
    return at + 1;
}

static bool check_document(struct check *check)
{
    const char *at = check->start;
    bool next = true; /* a value must come */
    while (at && (next || check->depth > 0))
        at = next ? check_value(check, at, &next) : check_after(check, at, &next);
    if (!at)
        return false;
    at = skip_space(check, at);
    check->tokens->at = (size_t)(at - check->start);
    return at == check->end || fail(check, at, "the value is followed by more text");
}

bool json_tokens_read(struct json_tokens *tokens, struct slice text)
{
    int open[JSON_TEXT_DEPTH_MAX];
    const char *start = text.len > 0 ? text.data : "";
    struct check check = {
        .start = start, .end = start + text.len, .tokens = tokens, .parent = -1, .open = open};
    tokens->list = tokens->first;
    tokens->room = JSON_TOKENS_FIRST;
    tokens->count = 0;
    tokens->why = text.len > INT_MAX ? "it is too large" : NULL;
    tokens->at = 0;
    return !tokens->why && check_document(&check);
}

void json_tokens_free(struct json_tokens *tokens)
{
    if (tokens->list != tokens->first)
        free(tokens->list);
}
