#include "capturer/capdiff/excerpt.h"

#include "capturer/capdiff/memory.h"
#include "lib/buf.h"
#include "lib/utf8.h"

#define ELLIPSIS "…"
#define BLOCK 64      /* bytes that are compared at a time */
#define ESCAPED_MAX 4 /* bytes that one byte becomes at most */

/* Bytes that TEXT begins with and that are shown as they are. */
static size_t plain_run(struct slice text)
{
    size_t len = 0;

    while (
        len < text.len && text.data[len] >= 0x20 && text.data[len] < 0x7f && text.data[len] != '\\')
        len++;
    return len;
}

static char *escape(struct slice text, bool cut_before, bool cut_after)
{
    struct buf out;

    buf_init(&out, text.len * ESCAPED_MAX + sizeof(ELLIPSIS) * 2);
    if (cut_before)
        memory_need(buf_append_str(&out, ELLIPSIS));
    while (text.len > 0) {
        char shown[UTF8_SHOWN_MAX];
        size_t taken = plain_run(text);

        if (taken > 0)
            memory_need(buf_append(&out, text.data, taken));
        else
            memory_need(buf_append(&out, shown, utf8_show(text, shown, &taken)));
        text = slice_of(text.data + taken, text.len - taken);
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

    while (shorter - i >= BLOCK && memcmp(a.data + i, b.data + i, BLOCK) == 0)
        i += BLOCK;
    while (i < shorter && a.data[i] == b.data[i])
        i++;
    return i;
}
