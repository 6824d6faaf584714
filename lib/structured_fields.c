#include "lib/structured_fields.h"

#include <inttypes.h>
#include <uv.h>

#define INTEGER_DIGITS_MAX 15
#define DECIMAL_DIGITS_MAX 12 /* before the point */
#define FRACTION_DIGITS_MAX 3

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The next byte, or -1 at the end. */
static int peek(struct slice rest)
{
    return rest.len > 0 ? (unsigned char)rest.data[0] : -1;
}

static void skip(struct slice *rest, size_t len)
{
    rest->data += len;
    rest->len -= len;
}

static bool take(struct slice *rest, char c)
{
    if (peek(*rest) != c)
        return false;
    skip(rest, 1);
    return true;
}

static void skip_spaces(struct slice *rest)
{
    while (take(rest, ' '))
        continue;
}

static void skip_ows(struct slice *rest)
{
    while (take(rest, ' ') || take(rest, '\t'))
        continue;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(int c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(int c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_key_char(int c)
{
    return is_lower(c) || is_digit(c) || (c > 0 && strchr("_-.*", c) != NULL);
}

/* tchar of RFC 9110 §5.6.2, and what else a token may hold. */
static bool is_token_char(int c)
{
    return is_alpha(c) || is_digit(c) || (c > 0 && strchr("!#$%&'*+-.^_`|~:/", c) != NULL);
}

static bool take_key(struct slice *rest, struct slice *key)
{
    size_t len = 0;
    if (!is_lower(peek(*rest)) && peek(*rest) != '*')
        return false;
    while (len < rest->len && is_key_char((unsigned char)rest->data[len]))
        len++;
    *key = slice_of(rest->data, len);
    skip(rest, len);
    return true;
}

static size_t count_digits(struct slice text)
{
    size_t len = 0;
    while (len < text.len && is_digit((unsigned char)text.data[len]))
        len++;
    return len;
}

static bool take_number(struct slice *rest, struct sf_value *value)
{
    struct slice from = *rest;
    bool negative = take(rest, '-');
    size_t digits = count_digits(*rest);
    if (digits == 0 || digits > INTEGER_DIGITS_MAX)
        return false;
    value->type = SF_INTEGER;
    value->integer = 0;
    for (size_t i = 0; i < digits; i++)
        value->integer = value->integer * 10 + (rest->data[i] - '0');
    if (negative)
        value->integer = -value->integer;
    skip(rest, digits);
    if (take(rest, '.')) {
        size_t fraction = count_digits(*rest);
        if (digits > DECIMAL_DIGITS_MAX || fraction == 0 || fraction > FRACTION_DIGITS_MAX)
            return false;
        value->type = SF_DECIMAL;
        skip(rest, fraction);
    }
    value->text = slice_of(from.data, from.len - rest->len);
    return true;
}

/* The opening quote is taken. */
static bool take_string(struct slice *rest, struct sf_value *value)
{
    const char *start = rest->data;
    value->type = SF_STRING;
    for (;;) {
        int c = peek(*rest);
        if (c < 0x20 || c > 0x7e)
            return false;
        skip(rest, 1);
        if (c == '"')
            break;
        if (c == '\\' && !take(rest, '"') && !take(rest, '\\'))
            return false;
    }
    value->text = slice_of(start, (size_t)(rest->data - start) - 1);
    return true;
}

/* The opening colon is taken. */
static bool take_bytes(struct slice *rest, struct sf_value *value)
{
    size_t len;
    const char *colon = rest->len > 0 ? memchr(rest->data, ':', rest->len) : NULL;
    if (colon == NULL)
        return false;
    value->type = SF_BYTES;
    value->text = slice_of(rest->data, (size_t)(colon - rest->data));
    skip(rest, value->text.len + 1);
    return sf_bytes_decode(value->text, NULL, SIZE_MAX, &len);
}

/* The question mark is taken. */
static bool take_boolean(struct slice *rest, struct sf_value *value)
{
    value->type = SF_BOOLEAN;
    value->integer = peek(*rest) == '1';
    value->text = slice_of(rest->data, 1);
    return take(rest, '0') || take(rest, '1');
}

/* The @ is taken. */
static bool take_date(struct slice *rest, struct sf_value *value)
{
    bool good = take_number(rest, value) && value->type == SF_INTEGER;
    value->type = SF_DATE;
    return good;
}

static void take_token(struct slice *rest, struct sf_value *value)
{
    size_t len = 0;
    while (len < rest->len && is_token_char((unsigned char)rest->data[len]))
        len++;
    value->type = SF_TOKEN;
    value->text = slice_of(rest->data, len);
    skip(rest, len);
}

static bool take_bare_item(struct slice *rest, struct sf_value *value)
{
    int c = peek(*rest);
    value->integer = 0;
    value->params = slice_of(rest->data, 0);
    if (c == '-' || is_digit(c))
        return take_number(rest, value);
    if (take(rest, '"'))
        return take_string(rest, value);
    if (take(rest, ':'))
        return take_bytes(rest, value);
    if (take(rest, '?'))
        return take_boolean(rest, value);
    if (take(rest, '@'))
        return take_date(rest, value);
    if (!is_alpha(c) && c != '*')
        return false;
    take_token(rest, value);
    return true;
}

static struct sf_value true_value(struct slice at)
{
    return (struct sf_value){.type = SF_BOOLEAN,
        .text = slice_of(at.data, 0),
        .integer = 1,
        .params = slice_of(at.data, 0)};
}

enum sf_result sf_next_param(struct slice *rest, struct sf_member *param)
{
    if (!take(rest, ';'))
        return SF_END;
    skip_spaces(rest);
    if (!take_key(rest, &param->key))
        return SF_BAD;
    param->value = true_value(*rest);
    return take(rest, '=') && !take_bare_item(rest, &param->value) ? SF_BAD : SF_OK;
}

static bool take_params(struct slice *rest, struct slice *params)
{
    struct sf_member param;
    const char *start = rest->data;
    enum sf_result result;
    do
        result = sf_next_param(rest, &param);
    while (result == SF_OK);
    *params = slice_of(start, (size_t)(rest->data - start));
    return result == SF_END;
}

enum sf_result sf_next_item(struct slice *rest, struct sf_value *item)
{
    skip_spaces(rest);
    if (rest->len == 0)
        return SF_END;
    if (!take_bare_item(rest, item) || !take_params(rest, &item->params))
        return SF_BAD;
    return rest->len == 0 || peek(*rest) == ' ' ? SF_OK : SF_BAD;
}

/* The parenthesis is taken. Ends at the one that closes: quotes may hide others. */
static bool take_inner_list(struct slice *rest, struct sf_value *value)
{
    const char *start = rest->data;
    for (;;) {
        struct sf_value item;
        skip_spaces(rest);
        if (take(rest, ')'))
            break;
        if (!take_bare_item(rest, &item) || !take_params(rest, &item.params))
            return false;
        if (peek(*rest) != ' ' && peek(*rest) != ')')
            return false;
    }
    *value = (struct sf_value){
        .type = SF_INNER_LIST, .text = slice_of(start, (size_t)(rest->data - start) - 1)};
    return take_params(rest, &value->params);
}

static bool take_member_value(struct slice *rest, struct sf_value *value)
{
    if (!take(rest, '=')) {
        *value = true_value(*rest);
        return take_params(rest, &value->params);
    }
    if (take(rest, '('))
        return take_inner_list(rest, value);
    return take_bare_item(rest, value) && take_params(rest, &value->params);
}

enum sf_result sf_next_member(struct slice *rest, struct sf_member *member)
{
    skip_spaces(rest);
    if (rest->len == 0)
        return SF_END;
    if (!take_key(rest, &member->key) || !take_member_value(rest, &member->value))
        return SF_BAD;
    skip_ows(rest);
    if (rest->len == 0)
        return SF_OK;
    if (!take(rest, ','))
        return SF_BAD;
    skip_ows(rest);
    return rest->len > 0 ? SF_OK : SF_BAD; /* a comma has something after it */
}

enum sf_result sf_find(struct slice dictionary, struct slice key, struct sf_value *value)
{
    struct sf_member member;
    enum sf_result result;
    bool found = false;
    while ((result = sf_next_member(&dictionary, &member)) == SF_OK) {
        if (!slice_equal(member.key, key))
            continue;
        *value = member.value;
        found = true;
    }
    if (result == SF_BAD)
        return SF_BAD;
    return found ? SF_OK : SF_END;
}

bool sf_bytes_decode(struct slice base64, unsigned char *out, size_t max, size_t *len)
{
    unsigned int bits = 0;
    unsigned int n_bits = 0;
    size_t padding = 0;
    *len = 0;
    while (padding < 2 && base64.len > 0 && base64.data[base64.len - 1] == '=') {
        padding++;
        base64.len--;
    }
    if (base64.len % 4 == 1 || (padding > 0 && (base64.len + padding) % 4 != 0))
        return false;
    for (size_t i = 0; i < base64.len; i++) {
        const char *digit = memchr(alphabet, base64.data[i], sizeof alphabet - 1);
        if (digit == NULL)
            return false;
        bits = (bits << 6 | (unsigned int)(digit - alphabet)) & 0xffff;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        if (*len == max)
            return false;
        if (out != NULL)
            out[*len] = (unsigned char)(bits >> n_bits);
        ++*len;
    }
    return true;
}

int sf_append_bytes(struct buf *out, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    int status = buf_append_char(out, ':');
    for (size_t i = 0; i < len && status == 0; i += 3) {
        size_t left = len - i;
        unsigned int group = (unsigned int)bytes[i] << 16;
        group |= left > 1 ? (unsigned int)bytes[i + 1] << 8 : 0;
        group |= left > 2 ? bytes[i + 2] : 0;
        const char text[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
            alphabet[group >> 6 & 63], alphabet[group & 63]};
        status = buf_append(out, text, left > 2 ? 4 : left + 1);
        if (status == 0 && left < 3)
            status = buf_append(out, "==", 3 - left);
    }
    return status == 0 ? buf_append_char(out, ':') : status;
}

static int append_between(struct buf *out, const char *open, struct slice text, const char *close)
{
    return buf_printf(out, "%s%.*s%s", open, (int)text.len, text.len > 0 ? text.data : "", close);
}

static int append_bare_item(struct buf *out, const struct sf_value *value)
{
    switch (value->type) {
    case SF_INTEGER:
        return buf_printf(out, "%" PRId64, value->integer);
    case SF_DATE:
        return buf_printf(out, "@%" PRId64, value->integer);
    case SF_BOOLEAN:
        return buf_printf(out, "?%d", value->integer != 0);
    case SF_STRING:
        return append_between(out, "\"", value->text, "\"");
    case SF_BYTES:
        return append_between(out, ":", value->text, ":");
    case SF_DECIMAL:
    case SF_TOKEN:
        return append_between(out, "", value->text, "");
    case SF_INNER_LIST:
        break;
    }
    return UV_EINVAL;
}

static int append_params(struct buf *out, struct slice params)
{
    struct sf_member param;
    enum sf_result result;
    while ((result = sf_next_param(&params, &param)) == SF_OK) {
        bool is_true = param.value.type == SF_BOOLEAN && param.value.integer == 1;
        int status = append_between(out, ";", param.key, is_true ? "" : "=");
        if (status == 0 && !is_true)
            status = append_bare_item(out, &param.value);
        if (status != 0)
            return status;
    }
    return result == SF_END ? 0 : UV_EINVAL;
}

static int append_item(struct buf *out, const struct sf_value *item)
{
    int status = append_bare_item(out, item);
    return status == 0 ? append_params(out, item->params) : status;
}

int sf_append_value(struct buf *out, const struct sf_value *value)
{
    struct sf_value item;
    struct slice rest = value->text;
    enum sf_result result;
    const char *before = "(";
    if (value->type != SF_INNER_LIST)
        return append_item(out, value);
    while ((result = sf_next_item(&rest, &item)) == SF_OK) {
        int status = buf_append_str(out, before);
        if (status == 0)
            status = append_item(out, &item);
        if (status != 0)
            return status;
        before = " ";
    }
    if (result == SF_BAD)
        return UV_EINVAL;
    int status = buf_append_str(out, *before == '(' ? "()" : ")");
    return status == 0 ? append_params(out, value->params) : status;
}
