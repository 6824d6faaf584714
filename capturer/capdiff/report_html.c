#include "capturer/capdiff/report_html.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "capturer/capdiff/base64.h"
#include "capturer/capdiff/html_text.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/report_assets.h"
#include "lib/sha256.h"

#define BUDGET ((size_t)12 * 1024 * 1024) /* bytes of opened exchanges in one page */

/* "'sha256-…'": the digest by which the policy lets TEXT in. */
static void write_source(FILE *file, const char *text)
{
    struct sha256 *sha = sha256_new();
    char hex[SHA256_HEX_SIZE], bytes[32];
    struct buf out;

    if (sha == NULL)
        memory_need(UV_ENOMEM);
    sha256_reset(sha);
    sha256_update(sha, text, strlen(text));
    sha256_hex(sha, hex);
    sha256_free(sha);
    if (hex[0] == '\0')
        memory_need(UV_ENOMEM);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

        bytes[i] = (char)strtol(digits, NULL, 16);
    }
    buf_init(&out, 64);
    memory_need(base64_append(slice_of(bytes, sizeof(bytes)), &out));
    fprintf(file, "'sha256-%.*s'", (int)out.len, out.data);
    buf_deinit(&out);
}

static void write_head(const struct html *html)
{
    FILE *file = html->file;

    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri "
          "'none'; form-action 'none'; style-src ",
        file);
    write_source(file, report_css);
    fputs("; script-src ", file);
    write_source(file, report_js);
    fputs("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
        file);
    fputs(verdict_word(findings_verdict(html->report->findings)), file);
    fprintf(file, " · capdiff</title>\n<style>%s</style></head>\n<body><main>\n", report_css);
}

static void write_files(const struct html *html)
{
    const struct evidence *evidence = html->report->evidence;
    const char *separator = "";

    fputs("<header><b>capdiff</b> <span>", html->file);
    for (int i = 0; i < SOURCES; i++) {
        if (!evidence->has[i])
            continue;
        fputs(separator, html->file);
        html_text(html->file, evidence->recordings[i].name);
        separator = " ↔ ";
    }
    fputs("</span></header>\n", html->file);
}

/* Crossings by how much they matter; by time where that is the same, as they are. */
static size_t *order_crossings(const struct report_index *index)
{
    static const enum standing ranks[] = {
        CAME_DIFFERENT, CAME_UNSURE, CAME_EXCUSED, CAME_SAME, CAME_NOT};
    size_t n = index->report->evidence->count, count = 0;
    size_t *order = memory_new(n, sizeof(*order));
    unsigned char *standings = memory_new(n, 1);

    for (size_t i = 0; i < n; i++)
        standings[i] = (unsigned char)report_index_standing(index, i);
    for (size_t rank = 0; rank < sizeof(ranks) / sizeof(ranks[0]); rank++) {
        for (size_t i = 0; i < n; i++) {
            if (standings[i] == ranks[rank])
                order[count++] = i;
        }
    }
    free(standings);
    return order;
}

void report_html(const struct report *report, FILE *file)
{
    struct report_index index;
    struct html html = {.file = file, .report = report, .index = &index, .budget = BUDGET};
    size_t *order;

    report_index_init(&index, report);
    html.order = order = order_crossings(&index);
    write_head(&html);
    write_files(&html);
    html_summary(&html);
    html_quality(&html);
    html_waterfall(&html);
    html_list(&html);
    fputs("<footer><span class=\"keys\"><kbd>j</kbd> <kbd>k</kbd> move · <kbd>Enter</kbd> open · "
          "<kbd>/</kbd> search</span> capdiff " AGENT_MITM_VERSION "</footer>\n</main>\n<script>",
        file);
    fputs(report_js, file);
    fputs("</script></body></html>\n", file);
    free(order);
    report_index_deinit(&index);
}
