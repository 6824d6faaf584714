/* Messages as lines, one alone or two next to each other with their differences marked. */
#include <inttypes.h>

#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/report_html.h"
#include "capturer/capdiff/text_lines.h"

#define BODY_SHOWN_MAX ((size_t)32 * 1024)

/* One message, cut into lines; `left_out` bytes of it are not among them. */
struct side {
    struct message_view view;
    struct text_lines lines;
    uint64_t left_out;
};

static void side_open(struct side *side, const struct message *message, bool response)
{
    struct slice body;

    *side = (struct side){.left_out = 0};
    message_view_open(&side->view, message, response);
    body = side->view.body;
    if (body.len > BODY_SHOWN_MAX)
        body.len = BODY_SHOWN_MAX;
    side->left_out = side->view.body.len - body.len + side->view.missing;
    text_lines_add(&side->lines, side->view.head, false);
    text_lines_add(&side->lines, body, text_lines_is_structured(body));
}

static void side_close(struct side *side)
{
    text_lines_deinit(&side->lines);
    message_view_close(&side->view);
}

static void open_line(FILE *file, const struct text_line *line, const char *more)
{
    if (line->indent > 0)
        fprintf(file, "<code class=\"n%u%s\">", line->indent, more);
    else if (more[0] != '\0')
        fprintf(file, "<code class=\"%s\">", more + 1);
    else
        fputs("<code>", file);
}

static void write_line(FILE *file, const struct text_line *line)
{
    open_line(file, line, "");
    html_bytes(file, line->text);
    fputs("</code>", file);
}

/* The line with everything marked but what it has in common with OTHER. */
static void write_marked(FILE *file, const struct text_line *line, const struct text_line *other)
{
    struct slice text = line->text;
    size_t head, tail;

    text_lines_common(text, other->text, &head, &tail);
    open_line(file, line, " ch");
    html_bytes(file, slice_of(text.data, head));
    fputs("<mark>", file);
    html_bytes(file, slice_of(text.data + head, text.len - head - tail));
    fputs("</mark>", file);
    html_bytes(file, slice_of(text.data + text.len - tail, tail));
    fputs("</code>", file);
}

static void write_lone(FILE *file, const struct text_line *line, bool left)
{
    if (!left)
        fputs("<code class=\"no\"></code>", file);
    open_line(file, line, " ch");
    fputs("<mark>", file);
    html_bytes(file, line->text);
    fputs("</mark></code>", file);
    if (left)
        fputs("<code class=\"no\"></code>", file);
}

static void write_rows(FILE *file, const struct text_lines *a, const struct text_lines *b)
{
    size_t i = 0, j = 0;

    while (i < a->count || j < b->count) {
        if (i < a->count && a->items[i].match == 0) {
            write_lone(file, &a->items[i++], true);
        } else if (j < b->count && b->items[j].match == 0) {
            write_lone(file, &b->items[j++], false);
        } else if (slice_equal(a->items[i].text, b->items[j].text)) {
            write_line(file, &a->items[i++]);
            write_line(file, &b->items[j++]);
        } else {
            write_marked(file, &a->items[i], &b->items[j]);
            write_marked(file, &b->items[j++], &a->items[i++]);
        }
        fputc('\n', file);
    }
}

static void write_rest(FILE *file, const struct message *message, const struct side *side)
{
    char hex[SHA256_HEX_SIZE];

    fputs("<p>", file);
    if (message->state == MESSAGE_NONE)
        fputs("nothing of it was recorded", file);
    else if (side->left_out > 0)
        fprintf(file, "… and %" PRIu64 " bytes more; SHA-256 of all %" PRIu64 ": %s",
            side->left_out, message->len, message_raw_sha256(message, hex));
    else if (message->state == MESSAGE_PARTIAL)
        fprintf(file, "%" PRIu64 " bytes, and not whole%s%s", message->len,
            message->problem != NULL ? ": " : "", message->problem != NULL ? message->problem : "");
    else
        fprintf(file, "%" PRIu64 " bytes", message->len);
    fputs("</p>\n", file);
}

void html_message(const struct html *html, const struct message *before,
    const struct message *after, bool response)
{
    FILE *file = html->file;
    struct side a, b;

    fprintf(
        file, "<div class=\"%s %s\">\n", response ? "res" : "req", after != NULL ? "two" : "one");
    side_open(&a, before, response);
    if (after == NULL) {
        for (size_t i = 0; i < a.lines.count; i++)
            write_line(file, &a.lines.items[i]);
        write_rest(file, before, &a);
    } else {
        side_open(&b, after, response);
        text_lines_align(&a.lines, &b.lines);
        write_rows(file, &a.lines, &b.lines);
        write_rest(file, before, &a);
        write_rest(file, after, &b);
        side_close(&b);
    }
    side_close(&a);
    fputs("</div>\n", file);
}
