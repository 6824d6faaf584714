#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/text_run.h"
#include "lib/utf8.h"

#define LOG_LINE_MAX 2048

static const char *program = "agent-mitm";

void log_init(const char *name)
{
    program = name;
}

/*
 * Whatever LINE has come to hold: no control of it reaches a terminal. A backslash stays, as much
 * of it has been through log_escape. Returns the length of OUT.
 */
static size_t make_safe(struct slice line, char *out, size_t size)
{
    size_t len = 0;
    while (line.len > 0) {
        char shown[UTF8_SHOWN_MAX] = "\\";
        size_t taken = 1, n = 1;
        if (*line.data != '\\')
            n = utf8_show(line, shown, &taken);
        if (len + n > size)
            break;
        memcpy(out + len, shown, n);
        len += n;
        line = slice_of(line.data + taken, line.len - taken);
    }
    return len;
}

/* One write(2) a line, so that lines of several programs on one terminal do not mix. */
static void log_line(const char *format, va_list args)
{
    char raw[LOG_LINE_MAX], line[LOG_LINE_MAX];
    int head = snprintf(raw, sizeof raw, "%s: ", program);
    size_t len = head > 0 && (size_t)head < sizeof raw ? (size_t)head : 0;
    int body = vsnprintf(raw + len, sizeof raw - len, format, args);
    if (body > 0)
        len += (size_t)body < sizeof raw - len ? (size_t)body : sizeof raw - len - 1;
    len = make_safe(slice_of(raw, len), line, sizeof line - 1);
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

/* What is shown as something else, or needs a look at UTF-8. */
static uint64_t ends_plain(uint64_t word)
{
    return word_unprintable(word) | word_equal(word, '\\');
}

const char *log_escape(struct slice text, char *out, size_t size)
{
    static const char more[] = "…";
    size_t len = 0, cut = 0; /* cut: the last place between characters where "…" has room */
    if (size < sizeof more)
        return "";
    if (text.len > 0 && text.len < size &&
        text_run(text, ends_plain) == text.len) { /* as most are */
        memcpy(out, text.data, text.len);
        out[text.len] = '\0';
        return out;
    }
    while (text.len > 0) {
        char shown[UTF8_SHOWN_MAX];
        size_t taken, n = utf8_show(text, shown, &taken);
        if (len + sizeof more <= size)
            cut = len;
        if (len + n + 1 > size) {
            memcpy(out + cut, more, sizeof more);
            return out;
        }
        memcpy(out + len, shown, n);
        len += n;
        text = slice_of(text.data + taken, text.len - taken);
    }
    out[len] = '\0';
    return out;
}
