#include "capturer/capdiff/listing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/align.h"
#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_view.h"
#include "lib/clock.h"
#include "lib/utf8.h"

#define LINE_SHOWN_MAX 80
#define CLOCK_AT 11 /* in an RFC 3339 time */
#define CLOCK_LEN 15

/* As Wireshark's "Follow TCP Stream" has them. */
#define CODE_CLIENT "\033[31m"
#define CODE_SERVER "\033[34m"
#define CODE_DIM "\033[2m"
#define CODE_PLAIN "\033[0m"

static const char *code(bool color, const char *text)
{
    return color ? text : "";
}

static void write_ends(const struct exchange *exchange, FILE *file)
{
    char client[HOSTPORT_TEXT_MAX], server[HOSTPORT_TEXT_MAX];

    fprintf(file, "%s → %s", endpoint_text(connection_client(exchange->connection), client),
        endpoint_text(connection_server(exchange->connection), server));
}

static const char *state_text(const struct exchange *exchange)
{
    if (exchange->request.state == MESSAGE_NONE)
        return "  (request not recorded)";
    if (exchange->response.state == MESSAGE_NONE)
        return "  (no response)";
    return exchange->request.state == MESSAGE_WHOLE && exchange->response.state == MESSAGE_WHOLE
               ? ""
               : "  (not whole)";
}

static void write_exchange(const struct crossing *crossing, FILE *file, bool color)
{
    const struct exchange *exchange = crossing->at[VIEW_CLIENT_LEG];
    uint64_t begin = exchange->request.first_ns, end = exchange->response.last_ns;
    char *line = excerpt_text(align_title(exchange), LINE_SHOWN_MAX);
    char *call_id = exchange_call_id(exchange) != NULL
                        ? excerpt_text(slice_str(exchange_call_id(exchange)), CALL_ID_MAX)
                        : NULL;
    char time[CLOCK_RFC3339_SIZE];

    fprintf(file, "%7" PRIu64 "  %s%.*s%s  ", crossing->number, code(color, CODE_DIM), CLOCK_LEN,
        clock_rfc3339(crossing->time_ns, time) + CLOCK_AT, code(color, CODE_PLAIN));
    if (begin != 0 && end >= begin)
        fprintf(file, "%10.3f", (double)(end - begin) / 1e6);
    else
        fprintf(file, "%10s", "-");
    fprintf(file, "  %3d %8" PRIu64 " %8" PRIu64 "  ", exchange->status,
        exchange->request.content_len, exchange->response.content_len);
    write_ends(exchange, file);
    fprintf(file, "  %s", line != NULL ? line : "-");
    if (call_id != NULL)
        fprintf(file, "  %s", call_id);
    fprintf(file, "%s\n", state_text(exchange));
    free(line);
    free(call_id);
}

void listing_write(const struct report *report, FILE *file, bool color)
{
    const struct evidence *evidence = report->evidence;

    report_text_quality(report, file, color);
    fprintf(file, "%s%7s  %-15s  %10s  %3s %8s %8s  %s%s\n", code(color, CODE_DIM), "#",
        "time, UTC", "ms", "", "asked", "answered", "client → server, request, call id",
        code(color, CODE_PLAIN));
    for (size_t i = 0; i < evidence->count; i++)
        write_exchange(&evidence->crossings[i], file, color);
    if (evidence->settled.given_up[SOURCE_PROXY] > 0)
        fprintf(file, "… and %" PRIu64 " exchanges more, which were not kept: say --hold\n",
            evidence->settled.given_up[SOURCE_PROXY]);
    if (evidence->count == 0)
        fputs("no HTTP exchange was found\n", file);
}

/* One line with its mark; the end of a line that was there is there again. */
static void write_line(struct slice line, const char *mark, FILE *file)
{
    fputs(mark, file);
    if (line.len > 0 && line.data[line.len - 1] == '\n')
        line.len -= line.len > 1 && line.data[line.len - 2] == '\r' ? 2 : 1;
    while (line.len > 0) {
        char shown[UTF8_SHOWN_MAX];
        size_t taken, len = utf8_show(line, shown, &taken);

        if (line.data[0] == '\\') /* JSON is full of them, and they are no harm */
            fputc('\\', file);
        else
            fwrite(shown, 1, len, file);
        line = slice_of(line.data + taken, line.len - taken);
    }
    fputc('\n', file);
}

static void write_lines(struct slice text, const char *mark, FILE *file)
{
    while (text.len > 0) {
        const char *eol = memchr(text.data, '\n', text.len);
        size_t len = eol != NULL ? (size_t)(eol - text.data) + 1 : text.len;

        write_line(slice_of(text.data, len), mark, file);
        text = slice_of(text.data + len, text.len - len);
    }
}

static void write_message(const struct message *message, bool response, FILE *file, bool color)
{
    const char *mark = response ? "< " : "> ";
    struct message_view view;

    fputs(code(color, response ? CODE_SERVER : CODE_CLIENT), file);
    message_view_open(&view, message, response);
    write_lines(view.head, mark, file);
    write_lines(view.body, mark, file);
    if (view.missing > 0)
        fprintf(file, "%s… and %" PRIu64 " bytes more, which were not kept\n", mark, view.missing);
    message_view_close(&view);
    fputs(code(color, CODE_PLAIN), file);
}

static const struct crossing *find(const struct evidence *evidence, uint64_t number)
{
    for (size_t i = 0; i < evidence->count; i++) {
        if (evidence->crossings[i].number == number)
            return &evidence->crossings[i];
    }
    return NULL;
}

bool listing_follow(const struct report *report, uint64_t number, FILE *file, bool color)
{
    const struct evidence *evidence = report->evidence;
    const struct crossing *wanted = find(evidence, number);
    const struct connection *connection;

    if (wanted == NULL)
        return false;
    connection = wanted->at[VIEW_CLIENT_LEG]->connection;
    for (size_t i = 0; i < evidence->count; i++) {
        const struct exchange *exchange = evidence->crossings[i].at[VIEW_CLIENT_LEG];
        char time[CLOCK_RFC3339_SIZE];

        if (exchange->connection != connection)
            continue;
        fprintf(
            file, "%sexchange %" PRIu64 "  ", code(color, CODE_DIM), evidence->crossings[i].number);
        write_ends(exchange, file);
        fprintf(file, "  %s%s%s\n", clock_rfc3339(evidence->crossings[i].time_ns, time),
            state_text(exchange), code(color, CODE_PLAIN));
        write_message(&exchange->request, false, file, color);
        write_message(&exchange->response, true, file, color);
    }
    return true;
}
