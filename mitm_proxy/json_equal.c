#include "mitm_proxy/json_equal.h"

#include <stdint.h>
#include <stdlib.h>

#define EXPONENT_DIGITS 15 /* more would not fit, and no document is that long */

/* A number as 0.DIGITS times ten to the power of `scale`; the digits begin and end with no 0. */
struct decimal {
    bool negative, zero;
    bool huge;           /* the exponent has too many digits: scale means nothing */
    struct slice digits; /* with the point among them, perhaps */
    int64_t scale;
};

/* The digits of the exponent that TEXT, which may be empty, is. */
static int64_t read_exponent(struct slice text, bool *huge)
{
    int64_t exponent = 0;
    size_t at = 0;
    bool negative = text.len > 0 && text.data[0] == '-';
    if (text.len > 0 && (text.data[0] == '-' || text.data[0] == '+'))
        at++;
    while (at < text.len && text.data[at] == '0')
        at++;
    *huge = text.len - at > EXPONENT_DIGITS;
    for (; !*huge && at < text.len; at++)
        exponent = exponent * 10 + (text.data[at] - '0');
    return negative ? -exponent : exponent;
}

static struct decimal read_decimal(struct slice text)
{
    struct decimal decimal = {.negative = text.data[0] == '-'};
    size_t first = SIZE_MAX, last = 0, at = decimal.negative ? 1 : 0;
    int64_t digits = 0, point = -1, before_first = 0;

    for (; at < text.len && text.data[at] != 'e' && text.data[at] != 'E'; at++) {
        if (text.data[at] == '.') {
            point = digits;
            continue;
        }
        if (text.data[at] != '0') {
            if (first == SIZE_MAX) {
                first = at;
                before_first = digits;
            }
            last = at;
        }
        digits++;
    }
    decimal.zero = first == SIZE_MAX;
    if (decimal.zero)
        return decimal;
    size_t exponent = at < text.len ? at + 1 : at;
    decimal.digits = slice_of(text.data + first, last + 1 - first);
    decimal.scale =
        (point < 0 ? digits : point) - before_first +
        read_exponent(slice_of(text.data + exponent, text.len - exponent), &decimal.huge);
    return decimal;
}

/* Compares digits that may have a point at different places. */
static bool same_digits(struct slice a, struct slice b)
{
    size_t i = 0, j = 0;
    for (;;) {
        i += i < a.len && a.data[i] == '.';
        j += j < b.len && b.data[j] == '.';
        if (i == a.len || j == b.len)
            return i == a.len && j == b.len;
        if (a.data[i++] != b.data[j++])
            return false;
    }
}

bool json_number_equal(struct slice a, struct slice b)
{
    struct decimal left = read_decimal(a);
    struct decimal right = read_decimal(b);
    if (left.zero || right.zero)
        return left.zero && right.zero;
    if (left.huge || right.huge)
        return slice_equal(a, b);
    return left.negative == right.negative && left.scale == right.scale &&
           same_digits(left.digits, right.digits);
}

/* Decodes a string that json_text has checked. False when there is no memory. */
static bool decode(struct slice raw, struct buf *out)
{
    buf_init(out, raw.len);
    return json_string_decode(raw, out) == 0;
}

static enum json_equality equal_strings(struct slice a, struct slice b)
{
    struct buf text;
    if (!decode(a, &text)) {
        buf_deinit(&text);
        return JSON_NO_MEMORY;
    }
    bool same = json_string_is(b, slice_of(text.data, text.len));
    buf_deinit(&text);
    return same ? JSON_SAME : JSON_DIFFERENT;
}

static enum json_equality equal_arrays(
    const struct json_text *wanted, int a, const struct json_text *given, int b)
{
    enum json_equality result = JSON_SAME;
    int i = json_text_first(wanted, a);
    int j = json_text_first(given, b);
    while (result == JSON_SAME && i >= 0 && j >= 0) {
        result = json_equal(wanted, i, given, j);
        i = json_text_next(wanted, i);
        j = json_text_next(given, j);
    }
    return result == JSON_SAME && (i >= 0 || j >= 0) ? JSON_DIFFERENT : result;
}

/* The last member of OBJECT whose key is the same as that of value MEMBER of FROM; -1: none. */
static enum json_equality find_same_key(
    const struct json_text *from, int member, const struct json_text *in, int object, int *found)
{
    struct buf key;
    *found = -1;
    if (!decode(json_text_key(from, member), &key)) {
        buf_deinit(&key);
        return JSON_NO_MEMORY;
    }
    for (int i = json_text_first(in, object); i >= 0; i = json_text_next(in, i)) {
        if (json_string_is(json_text_key(in, i), slice_of(key.data, key.len)))
            *found = i;
    }
    buf_deinit(&key);
    return *found >= 0 ? JSON_SAME : JSON_DIFFERENT;
}

static enum json_equality equal_objects(
    const struct json_text *wanted, int a, const struct json_text *given, int b)
{
    enum json_equality result = JSON_SAME;
    int same;
    for (int j = json_text_first(given, b); result == JSON_SAME && j >= 0;
         j = json_text_next(given, j))
        result = find_same_key(given, j, wanted, a, &same);
    for (int i = json_text_first(wanted, a); result == JSON_SAME && i >= 0;
         i = json_text_next(wanted, i)) {
        result = find_same_key(wanted, i, wanted, a, &same);
        if (result != JSON_SAME || same != i)
            continue; /* a later member has this key */
        result = find_same_key(wanted, i, given, b, &same);
        if (result == JSON_SAME)
            result = json_equal(wanted, i, given, same);
    }
    return result;
}

enum json_equality json_equal(
    const struct json_text *wanted, int a, const struct json_text *given, int b)
{
    enum json_type type = json_text_type(wanted, a);
    if (type != json_text_type(given, b))
        return JSON_DIFFERENT;
    switch (type) {
    case JSON_OBJECT:
        return equal_objects(wanted, a, given, b);
    case JSON_ARRAY:
        return equal_arrays(wanted, a, given, b);
    case JSON_STRING:
        return equal_strings(json_text_raw(wanted, a), json_text_raw(given, b));
    case JSON_NUMBER:
        return json_number_equal(json_text_raw(wanted, a), json_text_raw(given, b))
                   ? JSON_SAME
                   : JSON_DIFFERENT;
    default:
        return type == JSON_NONE ? JSON_DIFFERENT : JSON_SAME;
    }
}
