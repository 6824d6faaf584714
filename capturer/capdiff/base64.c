#include "capturer/capdiff/base64.h"

#include <stdint.h>

#define PADDING 64 /* its place among the digits */

int base64_append(struct slice data, struct buf *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    const uint8_t *bytes = (const uint8_t *)data.data;
    size_t len = (data.len + 2) / 3 * 4;
    int status = buf_reserve(out, len);
    char *at;

    if (status != 0)
        return status;
    at = out->data + out->len;
    for (size_t i = 0; i < data.len; i += 3) {
        size_t left = data.len - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);

        for (unsigned k = 0; k < 4; k++)
            *at++ = digits[left >= k ? group >> (18 - 6 * k) & 63 : PADDING];
    }
    out->len += len;
    return 0;
}
