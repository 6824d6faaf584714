#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static const char *program = "agent-mitm";

void log_init(const char *name)
{
    program = name;
}

/* One write(2) a line, so that lines of several programs on one terminal do not mix. */
static void log_line(const char *format, va_list args)
{
    char line[LOG_LINE_MAX];
    int head = snprintf(line, sizeof line, "%s: ", program);
    size_t len = head > 0 && (size_t)head < sizeof line ? (size_t)head : 0;
    int body = vsnprintf(line + len, sizeof line - len - 1, format, args);
    if (body > 0)
        len += (size_t)body < sizeof line - len - 1 ? (size_t)body : sizeof line - len - 2;
    line[len++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, len); /* where would we complain? */
    (void)ignored;
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(format, args);
    va_end(args);
}

/* The escape of one byte: its length, or 0 when the byte stands for itself. */
static size_t escape_byte(unsigned char byte, char out[5])
{
    static const char digits[] = "0123456789abcdef";
    const char *named = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : byte == '\t' ? "\\t" : NULL;
    if (byte == '\\')
        named = "\\\\";
    if (named) {
        memcpy(out, named, 3);
        return 2;
    }
    if (byte >= 0x20 && byte != 0x7f)
        return 0;
    memcpy(out, "\\x", 2);
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    out[4] = '\0';
    return 4;
}

const char *log_escape(struct slice text, char *out, size_t size)
{
    static const char more[] = "…";
    size_t len = 0, cut = 0; /* cut: the last place between characters where "…" has room */
    if (size < sizeof more)
        return "";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        char escape[5] = {(char)byte};
        size_t n = escape_byte(byte, escape);
        if (n == 0)
            n = 1;
        if ((byte & 0xc0) != 0x80 && len + sizeof more <= size)
            cut = len;
        if (len + n + 1 > size) {
            memcpy(out + cut, more, sizeof more);
            return out;
        }
        memcpy(out + len, escape, n);
        len += n;
    }
    out[len] = '\0';
    return out;
}
