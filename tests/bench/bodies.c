#include "bodies.h"

#include <stdio.h>
#include <string.h>

#define FIELDS 90
#define ITEM 8 /* bytes of an item of a list, or of a line */

static size_t put_tool(char *out, const struct body *body)
{
    int n = sprintf(out,
        "{\"id\":\"call-%08ld\",\"type\":\"tool_call\",\"tool_name\":\"analyze_dependency\","
        "\"arguments\":{\"padding\":\"",
        body->number);

    memset(out + n, 'x', body->size - (size_t)n - 3);
    memcpy(out + body->size - 3, "\"}}", 3);
    return body->size;
}

static size_t put_chunked(char *out, const struct body *body)
{
    char *source = out + (BODY_GROWTH - 1) * body->size; /* is read before it is written over */
    size_t len = 0;

    put_tool(source, body);
    for (size_t i = 0; i < body->size; i++) {
        char byte = source[i];

        memcpy(out + len, "1\r\n", 3);
        out[len + 3] = byte;
        memcpy(out + len + 4, "\r\n", 2);
        len += 6;
    }
    memcpy(out + len, "0\r\n\r\n", 5);
    return len + 5;
}

static size_t put_list(char *out, const struct body *body)
{
    size_t len = (size_t)sprintf(out, "{\"id\":\"call-%08ld\",\"list\":[1", body->number);

    for (size_t i = 0; i < body->size / ITEM; i++)
        len += (size_t)sprintf(out + len, ",%07zu", 1000000 + 2 * i + body->changed);
    return len + (size_t)sprintf(out + len, "]}");
}

static size_t put_lines(char *out, const struct body *body)
{
    size_t count = body->size / ITEM, len = 0;

    for (size_t i = 0; i < count; i++)
        len += (size_t)sprintf(out + len, "%07zu\n", body->changed ? count - i : i + 1);
    return len;
}

size_t body_put(char *out, const struct body *body)
{
    switch (body->kind) {
    case BODY_CHUNKED:
        return put_chunked(out, body);
    case BODY_LIST:
        return put_list(out, body);
    case BODY_LINES:
        return put_lines(out, body);
    default:
        return put_tool(out, body);
    }
}

size_t body_put_fields(char *out, const struct body *body)
{
    size_t len = (size_t)sprintf(out, "Content-Type: %s\r\nAccept: */*\r\n",
        body->kind == BODY_LINES ? "text/plain" : "application/json");

    for (int i = 0; i < FIELDS && body->kind == BODY_FIELDS; i++)
        len += (size_t)sprintf(
            out + len, "X-Field-%03d: bench value\r\n", body->changed ? FIELDS - i : i + 1);
    return len;
}
