#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "lib/json_text.h"
#include "lib/text_run.h"
#include "lib/utf8.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd"; /* U+FFFD */

static int hex_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static uint32_t read_hex4(const char *digits)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit((unsigned char)digits[i]);
        if (digit < 0)
            return UINT32_MAX;
        value = value << 4 | (uint32_t)digit;
    }
    return value;
}

static size_t utf8_put(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* Decodes the \u escape (or pair of them) that REST begins with; *TAKEN 0 when it is broken. */
static size_t decode_unicode(struct slice rest, char out[4], size_t *taken)
{
    uint32_t code = rest.len >= 6 ? read_hex4(rest.data + 2) : UINT32_MAX;
    *taken = code == UINT32_MAX ? 0 : 6;
    if (*taken == 0)
        return 0;
    if (code < 0xd800 || code > 0xdfff)
        return utf8_put(code, out);
    /* RFC 8259 §8.2: a surrogate on its own is no character. */
    uint32_t low = 0;
    if (code <= 0xdbff && rest.len >= 12 && rest.data[6] == '\\' && rest.data[7] == 'u')
        low = read_hex4(rest.data + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return utf8_put(0xfffd, out);
    *taken = 12;
    return utf8_put(0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00), out);
}

/*
 * Decodes the escape or byte that REST (not empty) begins with into OUT and returns the bytes it
 * makes; *TAKEN is what it took of REST, 0 when the escape is broken.
 */
static size_t decode_one(struct slice rest, char out[4], size_t *taken)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";

    out[0] = rest.data[0];
    *taken = 1;
    if (rest.data[0] != '\\')
        return 1;
    *taken = 0;
    if (rest.len < 2)
        return 0;
    if (rest.data[1] == 'u')
        return decode_unicode(rest, out, taken);
    const char *name = memchr(names, rest.data[1], sizeof names - 1);
    if (name == NULL)
        return 0;
    *taken = 2;
    out[0] = values[name - names];
    return 1;
}

/* A string's text without its quotes; absent when it has none. */
static struct slice without_quotes(struct slice raw)
{
    if (raw.len < 2 || raw.data[0] != '"' || raw.data[raw.len - 1] != '"')
        return slice_of(NULL, 0);
    return slice_of(raw.data + 1, raw.len - 2);
}

/* True when REST, a string without its quotes, stands for TEXT. */
static __attribute__((noinline)) bool decodes_to(struct slice rest, struct slice text)
{
    while (rest.len > 0) {
        char out[4];
        size_t taken;
        size_t len = decode_one(rest, out, &taken);
        if (taken == 0 || len > text.len || memcmp(out, text.data, len) != 0)
            return false;
        rest = slice_of(rest.data + taken, rest.len - taken);
        text = slice_of(text.data + len, text.len - len);
    }
    return text.len == 0;
}

bool json_string_is(struct slice raw, struct slice text)
{
    /* Most are told by their length, for an escape is longer than what it stands for … */
    if (raw.len < text.len + 2 || raw.data[0] != '"' || raw.data[raw.len - 1] != '"')
        return false;
    /* … or by their first byte. */
    if (text.len > 0 && raw.data[1] != text.data[0] && raw.data[1] != '\\')
        return false;
    struct slice rest = slice_of(raw.data + 1, raw.len - 2);
    bool escaped = memchr(rest.data, '\\', rest.len) != NULL;
    return escaped ? decodes_to(rest, text) : slice_equal(rest, text);
}

int json_string_decode(struct slice raw, struct buf *out)
{
    struct slice rest = without_quotes(raw);
    size_t before = out->len;
    int status = rest.data == NULL ? UV_EINVAL : 0;
    while (status == 0 && rest.len > 0) {
        const char *escape = memchr(rest.data, '\\', rest.len);
        size_t plain = escape == NULL ? rest.len : (size_t)(escape - rest.data);
        char bytes[4];
        size_t taken = plain;
        if (plain > 0) {
            status = buf_append(out, rest.data, plain);
        } else {
            size_t len = decode_one(rest, bytes, &taken);
            status = taken == 0 ? UV_EINVAL : buf_append(out, bytes, len);
        }
        rest = slice_of(rest.data + taken, rest.len - taken);
    }
    if (status != 0)
        out->len = before;
    return status;
}

static uint32_t utf8_code(struct slice character)
{
    const unsigned char *p = (const unsigned char *)character.data;
    uint32_t code = character.len == 1 ? p[0] : p[0] & (0x7fu >> character.len);
    for (size_t i = 1; i < character.len; i++)
        code = code << 6 | (p[i] & 0x3f);
    return code;
}

size_t json_escape(struct slice character, char out[JSON_ESCAPE_MAX])
{
    uint32_t code = utf8_code(character);
    int len = code > 0xffff
                  ? snprintf(out, JSON_ESCAPE_MAX, "\\u%04x\\u%04x",
                        (unsigned)(0xd7c0 + (code >> 10)), (unsigned)(0xdc00 | (code & 0x3ff)))
                  : snprintf(out, JSON_ESCAPE_MAX, "\\u%04x", (unsigned)code);
    return (size_t)len;
}

/* Appends what stands for the character at the start of TEXT; *TAKEN is its length. */
static int encode_one(struct slice text, struct buf *out, size_t *taken)
{
    static const char letters[] = "btn\0fr"; /* of 0x08 to 0x0d; 0x0b has none */
    unsigned char c = (unsigned char)text.data[0];

    *taken = 1;
    char letter = '\0';
    if (c >= 0x08 && c <= 0x0d)
        letter = letters[c - 0x08];
    else if (c == '"' || c == '\\')
        letter = text.data[0];
    if (letter != '\0')
        return buf_append(out, (char[]){'\\', letter}, 2);
    if (c < 0x20)
        return buf_printf(out, "\\u%04x", c);
    size_t len = utf8_length(text);
    if (len == 0)
        return buf_append(out, REPLACEMENT, sizeof REPLACEMENT - 1);
    *taken = len;
    char escape[JSON_ESCAPE_MAX];
    struct slice character = slice_of(text.data, len);
    if (utf8_is_unsafe(character))
        return buf_append(out, escape, json_escape(character, escape));
    return buf_append(out, text.data, len);
}

/* What does not stand for itself, or needs a look at UTF-8. */
static uint64_t ends_plain(uint64_t word)
{
    return word_unprintable(word) | word_equal(word, '"') | word_equal(word, '\\');
}

/* Appends what stands for TEXT, and the quote at its end. */
static int encode_rest(struct slice text, struct buf *out)
{
    int status = 0;
    while (status == 0 && text.len > 0) {
        size_t taken = text_run(text, ends_plain);
        if (taken > 0)
            status = buf_append(out, text.data, taken);
        else
            status = encode_one(text, out, &taken);
        text = slice_of(text.data + taken, text.len - taken);
    }
    return status == 0 ? buf_append_char(out, '"') : status;
}

int json_string_encode(struct slice text, struct buf *out)
{
    size_t before = out->len, plain = text_run(text, ends_plain);
    int status = buf_reserve(out, text.len + 2); /* nothing becomes shorter */
    if (status != 0)
        return status;
    out->data[out->len++] = '"';
    if (plain > 0)
        memcpy(out->data + out->len, text.data, plain);
    out->len += plain;
    if (plain == text.len) /* as most are */
        out->data[out->len++] = '"';
    else
        status = encode_rest(slice_of(text.data + plain, text.len - plain), out);
    if (status != 0)
        out->len = before;
    return status;
}

/* White space that holds a line break or tab, or 0; a run of spaces alone stays as it is. */
static size_t break_length(struct slice text)
{
    size_t len = 0;
    bool breaks = false;
    for (; len < text.len; len++) {
        char c = text.data[len];
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
        breaks = breaks || c != ' ';
    }
    return breaks ? len : 0;
}

/* Puts TEXT, which is short, where PIECE is; returns its length. */
static size_t put(char *piece, const char *text, size_t len)
{
    memcpy(piece, text, len);
    return len;
}

/*
 * What stands on the line for the bytes that TEXT begins with; *TAKEN is how many they are. WHOLE:
 * no line break is to be looked for.
 */
static size_t line_piece(struct slice text, bool whole, char piece[JSON_ESCAPE_MAX], size_t *taken)
{
    *taken = whole ? 0 : break_length(text);
    if (*taken > 0)
        return put(piece, " ", *taken < text.len);
    size_t len = utf8_length(text);
    *taken = len > 0 ? len : 1;
    if (len == 0)
        return put(piece, REPLACEMENT, sizeof REPLACEMENT - 1);
    if (utf8_is_unsafe(slice_of(text.data, len)))
        return json_escape(slice_of(text.data, len), piece);
    return put(piece, text.data, len);
}

/* Bytes at the start of TEXT, MAX at most, that stand for themselves and change no state. */
static size_t line_run(struct slice text, bool in_string, size_t max)
{
    size_t len = 0;
    for (; len < text.len && len < max; len++) {
        unsigned char c = (unsigned char)text.data[len];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == (in_string ? '\\' : ' '))
            break;
    }
    return len;
}

int json_text_line(struct slice text, size_t max, struct buf *out)
{
    if (text.len <= max && text_run(text, word_unprintable) == text.len)
        return buf_append(out, text.data, text.len);
    size_t before = out->len;
    bool in_string = false;
    bool escaped = false;
    bool in_spaces = false; /* in a run that was looked through: again at each would be quadratic */
    int status = 0;
    while (status == 0 && text.len > 0) {
        char piece[JSON_ESCAPE_MAX];
        const char *shown = text.data;
        size_t taken = line_run(text, in_string, max - (out->len - before));
        size_t len = taken;
        if (taken > 0) {
            escaped = in_spaces = false;
        } else {
            len = line_piece(text, in_string || in_spaces, piece, &taken);
            if (out->len - before + len > max) {
                status = buf_append_str(out, "…");
                break;
            }
            if (text.data[0] == '"' && !escaped)
                in_string = !in_string;
            escaped = in_string && text.data[0] == '\\' && !escaped;
            in_spaces = text.data[0] == ' ';
            shown = piece;
        }
        status = buf_append(out, shown, len);
        text = slice_of(text.data + taken, text.len - taken);
    }
    if (status != 0)
        out->len = before;
    return status;
}
