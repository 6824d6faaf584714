#include "lib/json_tokens.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_FIRST 32

struct check {
    struct slice text;
    size_t at;
    struct json_tokens *tokens;
    const char *why;
    int key; /* the token of the last one */
    unsigned int depth;
    int open[JSON_TEXT_DEPTH_MAX]; /* the tokens of the containers that are open */
};

enum check_step {
    CHECK_BAD,
    CHECK_VALUE, /* a value must come next */
    CHECK_AFTER, /* a value is whole */
    CHECK_DONE,  /* the root is whole */
};

static int check_peek(const struct check *check)
{
    return check->at < check->text.len ? (unsigned char)check->text.data[check->at] : -1;
}

static bool check_fail(struct check *check, const char *why)
{
    check->why = check->at < check->text.len ? why : "the text ends too early";
    return false;
}

static bool make_room(struct json_tokens *tokens)
{
    int room = tokens->room ? 2 * tokens->room : TOKENS_FIRST;
    struct json_token *list = realloc(tokens->list, (size_t)room * sizeof *list);
    if (!list)
        return false;
    tokens->list = list;
    tokens->room = room;
    return true;
}

/* A value or a key begins here. */
static bool add_token(struct check *check, int parent)
{
    struct json_tokens *tokens = check->tokens;
    if (tokens->count == JSON_TEXT_TOKENS_MAX)
        return check_fail(check, "it has too many values");
    if (tokens->count == tokens->room && !make_room(tokens)) {
        check->why = JSON_TEXT_NO_MEMORY;
        return false;
    }
    tokens->list[tokens->count++] =
        (struct json_token){.start = (int)check->at, .parent = parent, .size = 1};
    return true;
}

/* It ends here, and all that is in it. */
static void end_token(struct check *check, int token)
{
    check->tokens->list[token].end = (int)check->at;
    check->tokens->list[token].size = check->tokens->count - token;
}

static char closer_of(const struct check *check, int container)
{
    return check->text.data[check->tokens->list[container].start] == '{' ? '}' : ']';
}

static void check_space(struct check *check)
{
    int c = check_peek(check);
    while (c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
        check->at++;
        c = check_peek(check);
    }
}

static bool is_hex(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool check_escape(struct check *check)
{
    check->at++;
    int c = check_peek(check);
    if (c <= 0 || strchr("\"\\/bfnrtu", c) == NULL)
        return check_fail(check, "a string has an unknown escape");
    check->at++;
    for (int i = 0; c == 'u' && i < 4; i++, check->at++) {
        if (!is_hex(check_peek(check)))
            return check_fail(check, "\\u needs four hexadecimal digits");
    }
    return true;
}

/* Behind the bytes that stand for themselves. */
static void skip_plain(struct check *check)
{
    const char *data = check->text.data;
    size_t at = check->at, end = check->text.len;
    while (at < end && data[at] != '"' && data[at] != '\\' && (unsigned char)data[at] >= ' ')
        at++;
    check->at = at;
}

static bool check_string(struct check *check)
{
    check->at++;
    for (skip_plain(check); check_peek(check) != '"'; skip_plain(check)) {
        if (check_peek(check) != '\\')
            return check_fail(check, "a control character in a string must be escaped");
        if (!check_escape(check))
            return false;
    }
    check->at++;
    return true;
}

static bool check_digits(struct check *check)
{
    size_t start = check->at;
    while (check_peek(check) >= '0' && check_peek(check) <= '9')
        check->at++;
    return check->at > start || check_fail(check, "a number needs a digit here");
}

static bool check_number(struct check *check)
{
    if (check_peek(check) == '-')
        check->at++;
    if (check_peek(check) == '0')
        check->at++; /* a digit after it is caught as what follows the value */
    else if (!check_digits(check))
        return false;
    if (check_peek(check) == '.') {
        check->at++;
        if (!check_digits(check))
            return false;
    }
    if (check_peek(check) == 'e' || check_peek(check) == 'E') {
        check->at++;
        if (check_peek(check) == '+' || check_peek(check) == '-')
            check->at++;
        return check_digits(check);
    }
    return true;
}

static bool check_literal(struct check *check, const char *literal)
{
    for (; *literal != '\0'; literal++, check->at++) {
        if (check_peek(check) != *literal)
            return check_fail(check, "a value is neither true, false nor null");
    }
    return true;
}

static bool check_scalar(struct check *check)
{
    int c = check_peek(check);
    if (c == '"')
        return check_string(check);
    if (c == 't')
        return check_literal(check, "true");
    if (c == 'f')
        return check_literal(check, "false");
    if (c == 'n')
        return check_literal(check, "null");
    if (c == '-' || (c >= '0' && c <= '9'))
        return check_number(check);
    return check_fail(check, "a value is expected here");
}

/* A key and its colon. */
static bool check_key(struct check *check)
{
    check_space(check);
    if (check_peek(check) != '"')
        return check_fail(check, "a key in double quotes is expected here");
    check->key = check->tokens->count;
    if (!add_token(check, check->open[check->depth - 1]) || !check_string(check))
        return false;
    end_token(check, check->key);
    check_space(check);
    if (check_peek(check) != ':')
        return check_fail(check, "a colon is expected here");
    check->at++;
    return true;
}

/* A scalar, an empty container, or the start of one up to its first value. */
static enum check_step check_value(struct check *check)
{
    check_space(check);
    int token = check->tokens->count, container = check->depth ? check->open[check->depth - 1] : -1;
    bool member = container >= 0 && closer_of(check, container) == '}';
    if (!add_token(check, member ? check->key : container))
        return CHECK_BAD;
    int c = check_peek(check);
    if (c != '{' && c != '[') {
        if (!check_scalar(check))
            return CHECK_BAD;
        end_token(check, token);
        return CHECK_AFTER;
    }
    if (check->depth == JSON_TEXT_DEPTH_MAX) {
        check_fail(check, "it is nested too deeply");
        return CHECK_BAD;
    }
    char closer = c == '{' ? '}' : ']';
    check->at++;
    check_space(check);
    if (check_peek(check) == closer) {
        check->at++;
        end_token(check, token);
        return CHECK_AFTER;
    }
    check->open[check->depth++] = token;
    return c == '[' || check_key(check) ? CHECK_VALUE : CHECK_BAD;
}

/* What may follow a whole value: closers, then a comma or the end. */
static enum check_step check_after(struct check *check)
{
    for (; check->depth > 0; check->depth--) {
        int container = check->open[check->depth - 1];
        char closer = closer_of(check, container);
        check_space(check);
        if (check_peek(check) == ',') {
            check->at++;
            return closer == ']' || check_key(check) ? CHECK_VALUE : CHECK_BAD;
        }
        if (check_peek(check) != closer) {
            check_fail(check,
                closer == '}' ? "a comma or } is expected here" : "a comma or ] is expected here");
            return CHECK_BAD;
        }
        check->at++;
        end_token(check, container);
    }
    return CHECK_DONE;
}

static bool check_document(struct check *check)
{
    enum check_step step = CHECK_VALUE;
    while (step == CHECK_VALUE || step == CHECK_AFTER)
        step = step == CHECK_VALUE ? check_value(check) : check_after(check);
    if (step == CHECK_BAD)
        return false;
    check_space(check);
    return check->at == check->text.len || check_fail(check, "the value is followed by more text");
}

bool json_tokens_read(struct json_tokens *tokens, struct slice text)
{
    struct check check = {.text = text, .tokens = tokens, .why = "it is too large"};
    *tokens = (struct json_tokens){0};
    bool good = text.len <= INT_MAX && check_document(&check);
    tokens->why = good ? NULL : check.why;
    tokens->at = check.at;
    return good;
}

void json_tokens_free(struct json_tokens *tokens)
{
    free(tokens->list);
}
