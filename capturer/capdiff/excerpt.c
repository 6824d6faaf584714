#include "capturer/capdiff/excerpt.h"

#include <stdint.h>
#include <stdio.h>

#include "capturer/capdiff/memory.h"
#include "lib/buf.h"

#define ELLIPSIS "…"
#define ESCAPED_MAX 4 /* bytes that one byte becomes at most */

/* The length of the UTF-8 character at TEXT (RFC 3629); 0 where there is none. */
static size_t utf8_length(const uint8_t *text, size_t len)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    uint32_t code = n == 1 ? text[0] : text[0] & (0x7fu >> n);

    if (n == 1)
        return 1;
    if (text[0] < 0xc2 || text[0] > 0xf4 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

/* Controls, and the marks that make a terminal show text in another order than it has. */
static bool is_unsafe(const uint8_t *text, size_t len)
{
    if (len == 1)
        return text[0] < 0x20 || text[0] == 0x7f || text[0] == '\\';
    if (len == 2)
        return text[0] == 0xc2 && text[1] < 0xa0;
    return len == 3 && text[0] == 0xe2 &&
           ((text[1] == 0x80 && ((text[2] >= 0x8b && text[2] <= 0x8f) || text[2] >= 0xa8)) ||
               (text[1] == 0x81 && text[2] >= 0xa0 && text[2] <= 0xaf));
}

static void escape_byte(struct buf *out, uint8_t byte)
{
    static const char named[][3] = {
        ['\t'] = "\\t", ['\n'] = "\\n", ['\r'] = "\\r", ['\\'] = "\\\\"};

    if (byte <= '\\' && named[byte][0] != '\0')
        memory_need(buf_append_str(out, named[byte]));
    else
        memory_need(buf_printf(out, "\\x%02x", byte));
}

static char *escape(struct slice text, bool cut_before, bool cut_after)
{
    const uint8_t *at = (const uint8_t *)text.data;
    size_t left = text.len;
    struct buf out;

    buf_init(&out, text.len * ESCAPED_MAX + sizeof(ELLIPSIS) * 2);
    if (cut_before)
        memory_need(buf_append_str(&out, ELLIPSIS));
    while (left > 0) {
        size_t n = utf8_length(at, left);

        if (n > 0 && !is_unsafe(at, n))
            memory_need(buf_append(&out, at, n));
        for (size_t i = 0; n == 0 ? i < 1 : i < n && is_unsafe(at, n); i++)
            escape_byte(&out, at[i]);
        n = n > 0 ? n : 1;
        at += n;
        left -= n;
    }
    if (cut_after)
        memory_need(buf_append_str(&out, ELLIPSIS));
    memory_need(buf_append_char(&out, '\0'));
    return out.data;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

char *excerpt_around(struct slice text, size_t at)
{
    size_t start, end;

    if (text.data == NULL)
        return NULL;
    start = at > EXCERPT_BEFORE ? at - EXCERPT_BEFORE : 0;
    if (start > text.len)
        start = text.len;
    end = text.len - start > EXCERPT_BEFORE + EXCERPT_AFTER ? start + EXCERPT_BEFORE + EXCERPT_AFTER
                                                            : text.len;
    for (int i = 0; i < 3 && start > 0 && start < at && is_continuation(text.data[start]); i++)
        start++;
    for (int i = 0; i < 3 && end > at + 1 && end < text.len && is_continuation(text.data[end]); i++)
        end--;
    return escape(slice_of(text.data + start, end - start), start > 0, end < text.len);
}

char *excerpt_text(struct slice text, size_t max)
{
    if (text.data == NULL)
        return NULL;
    return escape(slice_of(text.data, text.len < max ? text.len : max), false, text.len > max);
}

size_t excerpt_first_difference(struct slice a, struct slice b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    size_t i = 0;

    while (i < shorter && a.data[i] == b.data[i])
        i++;
    return i;
}
