#include "lib/json_check.h"

struct check {
    struct slice text;
    size_t at;
    size_t tokens; /* values and keys so far */
    const char *why;
    unsigned int depth;
    char closers[JSON_TEXT_DEPTH_MAX]; /* '}' or ']' of each container that is open */
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

static bool check_count(struct check *check)
{
    return ++check->tokens <= JSON_TEXT_TOKENS_MAX || check_fail(check, "it has too many values");
}

static void check_space(struct check *check)
{
    int c = check_peek(check);
    while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
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

static bool check_string(struct check *check)
{
    check->at++;
    for (;;) {
        int c = check_peek(check);
        if (c < ' ')
            return check_fail(check, "a control character in a string must be escaped");
        if (c == '"')
            break;
        if (c != '\\')
            check->at++;
        else if (!check_escape(check))
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
    if (!check_count(check) || !check_string(check))
        return false;
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
    if (!check_count(check))
        return CHECK_BAD;
    int c = check_peek(check);
    if (c != '{' && c != '[')
        return check_scalar(check) ? CHECK_AFTER : CHECK_BAD;
    if (check->depth == JSON_TEXT_DEPTH_MAX) {
        check_fail(check, "it is nested too deeply");
        return CHECK_BAD;
    }
    char closer = c == '{' ? '}' : ']';
    check->at++;
    check_space(check);
    if (check_peek(check) == closer) {
        check->at++;
        return CHECK_AFTER;
    }
    check->closers[check->depth++] = closer;
    return c == '[' || check_key(check) ? CHECK_VALUE : CHECK_BAD;
}

/* What may follow a whole value: closers, then a comma or the end. */
static enum check_step check_after(struct check *check)
{
    for (; check->depth > 0; check->at++, check->depth--) {
        char closer = check->closers[check->depth - 1];
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

bool json_check(struct slice text, struct json_check *result)
{
    struct check check = {.text = text};
    bool good = check_document(&check);
    *result = (struct json_check){.why = check.why, .at = check.at, .tokens = check.tokens};
    return good;
}
