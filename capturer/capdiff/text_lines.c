#include "capturer/capdiff/text_lines.h"

#include <stdint.h>
#include <stdlib.h>

#include "capturer/capdiff/memory.h"

#define TABLE_MAX ((size_t)1024 * 1024) /* cells; beyond that equal lines are not looked for */
#define RUN_MAX 32 /* lines that are looked at for one that is about the same */

struct cutter {
    struct text_lines *lines;
    const char *start; /* of the line at hand */
    unsigned depth, indent;
    bool in_string, escaped;
};

static void cut(struct cutter *cutter, const char *at)
{
    struct text_lines *lines = cutter->lines;

    if (at > cutter->start) {
        lines->items = memory_room(lines->items, lines->count, &lines->room, sizeof(*lines->items));
        lines->items[lines->count++] =
            (struct text_line){.text = slice_of(cutter->start, (size_t)(at - cutter->start)),
                .indent = cutter->indent < TEXT_INDENT_MAX ? cutter->indent : TEXT_INDENT_MAX};
        cutter->start = at;
    }
    cutter->indent = cutter->depth;
}

static void string_byte(struct cutter *cutter, char c)
{
    if (cutter->escaped)
        cutter->escaped = false;
    else if (c == '\\')
        cutter->escaped = true;
    else if (c == '"')
        cutter->in_string = false;
}

static void structure_byte(struct cutter *cutter, const char *at, const char *end)
{
    bool opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';

    if (cutter->in_string) {
        string_byte(cutter, *at);
    } else if (*at == '"') {
        cutter->in_string = true;
    } else if (opens) {
        cutter->depth++;
        if (at + 1 == end || (at[1] != '}' && at[1] != ']'))
            cut(cutter, at + 1);
    } else if (closes) {
        bool empty = at > cutter->start && (at[-1] == '{' || at[-1] == '[');

        cutter->depth -= cutter->depth > 0;
        if (!empty)
            cut(cutter, at);
    } else if (*at == ',') {
        cut(cutter, at + 1);
    }
}

void text_lines_add(struct text_lines *lines, struct slice text, bool structured)
{
    const char *end = text.data + text.len;
    struct cutter cutter = {.lines = lines, .start = text.data};

    for (const char *at = text.data; at < end; at++) {
        if (structured)
            structure_byte(&cutter, at, end);
        if (*at == '\n' || at - cutter.start >= TEXT_LINE_MAX)
            cut(&cutter, at + 1);
    }
    cut(&cutter, end);
}

void text_lines_deinit(struct text_lines *lines)
{
    free(lines->items);
    *lines = (struct text_lines){NULL, 0, 0};
}

bool text_lines_is_structured(struct slice text)
{
    size_t i = 0;

    while (i < text.len && i < 32 && strchr("0123456789abcdefABCDEF \r\n\t", text.data[i]) != NULL)
        i++;
    return i < text.len && (text.data[i] == '{' || text.data[i] == '[');
}

static void join(struct text_lines *a, size_t i, struct text_lines *b, size_t j)
{
    a->items[i].match = j + 1;
    b->items[j].match = i + 1;
}

/* Lines [from, to) of both sides, which neither begin nor end alike. */
struct middle {
    struct text_lines *a, *b;
    size_t from, to_a, to_b;
};

/* The longest common subsequence, by the usual table. */
static void align_equal(const struct middle *middle)
{
    size_t n = middle->to_a - middle->from, m = middle->to_b - middle->from, width = m + 1;
    const struct text_line *a = middle->a->items + middle->from;
    const struct text_line *b = middle->b->items + middle->from;
    uint32_t *table;

    if (n == 0 || m == 0 || (n + 1) > TABLE_MAX / width)
        return;
    table = memory_new((n + 1) * width, sizeof(*table));
    for (size_t i = n; i-- > 0;) {
        for (size_t j = m; j-- > 0;) {
            uint32_t down = table[(i + 1) * width + j], right = table[i * width + j + 1];

            table[i * width + j] = slice_equal(a[i].text, b[j].text)
                                       ? table[(i + 1) * width + j + 1] + 1
                                       : (down > right ? down : right);
        }
    }
    for (size_t i = 0, j = 0; i < n && j < m;) {
        if (slice_equal(a[i].text, b[j].text)) {
            join(middle->a, middle->from + i++, middle->b, middle->from + j++);
        } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) {
            i++;
        } else {
            j++;
        }
    }
    free(table);
}

/* What a line is about: a field's name, a member's key; absent where it has none. */
static struct slice key_of(struct slice line)
{
    const char *colon = memchr(line.data, ':', line.len);

    return colon != NULL ? slice_of(line.data, (size_t)(colon - line.data)) : slice_of(NULL, 0);
}

static bool same_key(const struct text_line *a, const struct text_line *b)
{
    struct slice x = key_of(a->text), y = key_of(b->text);

    if (x.data == NULL || y.data == NULL)
        return x.data == y.data;
    return x.len == y.len && strncasecmp(x.data, y.data, x.len) == 0;
}

static size_t end_of_run(const struct text_lines *lines, size_t from, size_t to)
{
    while (from < to && lines->items[from].match == 0)
        from++;
    return from;
}

/* What is left between matched lines stands side by side where it is about the same. */
static void align_rest(const struct middle *middle)
{
    size_t i = middle->from, j = middle->from;

    while (i < middle->to_a && j < middle->to_b) {
        size_t end_i = end_of_run(middle->a, i, middle->to_a);
        size_t end_j = end_of_run(middle->b, j, middle->to_b);

        for (; i < end_i; i++) {
            for (size_t k = j; k < end_j && k < j + RUN_MAX; k++) {
                if (!same_key(&middle->a->items[i], &middle->b->items[k]))
                    continue;
                join(middle->a, i, middle->b, k);
                j = k + 1;
                break;
            }
        }
        i = end_i + 1; /* the two behind the runs are a pair */
        j = end_j + 1;
    }
}

void text_lines_align(struct text_lines *a, struct text_lines *b)
{
    struct middle middle = {a, b, 0, a->count, b->count};

    while (middle.from < a->count && middle.from < b->count &&
           slice_equal(a->items[middle.from].text, b->items[middle.from].text)) {
        join(a, middle.from, b, middle.from);
        middle.from++;
    }
    while (middle.to_a > middle.from && middle.to_b > middle.from &&
           slice_equal(a->items[middle.to_a - 1].text, b->items[middle.to_b - 1].text))
        join(a, --middle.to_a, b, --middle.to_b);
    align_equal(&middle);
    align_rest(&middle);
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

void text_lines_common(struct slice a, struct slice b, size_t *head, size_t *tail)
{
    size_t shorter = a.len < b.len ? a.len : b.len, i = 0, k = 0;

    while (i < shorter && a.data[i] == b.data[i])
        i++;
    while (i > 0 &&
           ((i < a.len && is_continuation(a.data[i])) || (i < b.len && is_continuation(b.data[i]))))
        i--;
    while (k < shorter - i && a.data[a.len - 1 - k] == b.data[b.len - 1 - k])
        k++;
    while (k > 0 && is_continuation(a.data[a.len - k]))
        k--;
    *head = i;
    *tail = k;
}
