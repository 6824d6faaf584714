#include "lib/utf8.h"

size_t utf8_length(struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    size_t len;

    if (text.len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0; /* shorter forms exist */
    else if (p[0] == 0xed)
        high = 0x9f; /* surrogates */
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f; /* past U+10FFFF */
    if (text.len < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return len;
}

bool utf8_is_unsafe(struct slice character)
{
    const unsigned char *p = (const unsigned char *)character.data;
    switch (character.len) {
    case 1:
        return p[0] < 0x20 || p[0] == 0x7f;
    case 2: /* C1 controls, and the Arabic letter mark */
        return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c);
    case 3: /* U+200B to U+200F, U+2028 to U+202F, U+2060 to U+206F, the byte order mark, U+FFF9 to
             * U+FFFB */
        return (p[0] == 0xe2 && p[1] == 0x80 && ((p[2] >= 0x8b && p[2] <= 0x8f) || p[2] >= 0xa8)) ||
               (p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf) ||
               (p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf) ||
               (p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xb9 && p[2] <= 0xbb);
    case 4: /* tags and further selectors: U+E0000 to U+E0FFF */
        return p[0] == 0xf3 && p[1] == 0xa0;
    default:
        return false;
    }
}

static size_t show_byte(unsigned char byte, char *out)
{
    static const char digits[] = "0123456789abcdef";
    static const char shorts[][2] = {{'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\\', '\\'}};
    out[0] = '\\';
    for (size_t i = 0; i < sizeof shorts / sizeof shorts[0]; i++) {
        if (byte == (unsigned char)shorts[i][0]) {
            out[1] = shorts[i][1];
            return 2;
        }
    }
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

size_t utf8_show(struct slice text, char out[UTF8_SHOWN_MAX], size_t *taken)
{
    size_t len = utf8_length(text), shown = 0;
    *taken = len > 0 ? len : 1;
    if (len > 0 && text.data[0] != '\\' && !utf8_is_unsafe(slice_of(text.data, len))) {
        memcpy(out, text.data, len);
        return len;
    }
    for (size_t i = 0; i < *taken; i++)
        shown += show_byte((unsigned char)text.data[i], out + shown);
    return shown;
}
