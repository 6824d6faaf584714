#include "tests/unit/http_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void append(struct buf *buf, const void *data, size_t len)
{
    assert_int_equal(buf_append(buf, data, len), 0);
}

/* Decodes one escape after the backslash; returns what follows it. */
static const char *unescape_one(struct buf *out, const char *text)
{
    char c = *text;
    char *end;
    if (c == 'x') {
        char digits[3] = {text[1], text[2], '\0'};
        c = (char)strtoul(digits, NULL, 16);
        append(out, &c, 1);
        return text + 3;
    }
    if (c == '*') {
        unsigned long count = strtoul(text + 1, &end, 10);
        for (unsigned long i = 0; i < count; i++)
            append(out, end + 1, 1);
        return end + 2;
    }
    c = (char)(c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c);
    append(out, &c, 1);
    return text + 1;
}

void http_case_unescape(struct buf *out, const char *text)
{
    while (*text) {
        if (*text != '\\') {
            append(out, text++, 1);
            continue;
        }
        text = unescape_one(out, text + 1);
    }
}

bool http_case_next(FILE *file, struct http_case *test)
{
    char line[8192];
    *test = (struct http_case){0};
    buf_init(&test->bytes, 1 << 20);
    buf_init(&test->passes, 1 << 20);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "case ", 5) == 0)
            snprintf(test->name, sizeof test->name, "%.120s", line + 5);
        else if (strncmp(line, "bytes ", 6) == 0)
            http_case_unescape(&test->bytes, line + 6);
        else if (strncmp(line, "passes ", 7) == 0)
            http_case_unescape(&test->passes, line + 7);
        else if (strncmp(line, "expect ", 7) == 0)
            snprintf(test->expect, sizeof test->expect, "%.4000s", line + 7);
        else if (strcmp(line, "head") == 0)
            test->head = true;
        else if (strcmp(line, "eof") == 0)
            test->eof = true;
        else if (!*line && test->name[0])
            return true;
    }
    return test->name[0] != '\0';
}
