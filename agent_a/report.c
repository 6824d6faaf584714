#include "agent_a/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_a/tool_call.h"
#include "lib/clock.h"
#include "lib/json_text.h"
#include "lib/log.h"

#define SHOWN_MAX (16UL * 1024) /* bytes of a call or an answer that are printed */
#define FAILURES_SHOWN 20
#define EVENTS_SHOWN 2000 /* of one answer */
#define NAME_MAX_SHOWN 80

bool report_init(struct report *report, uint64_t total)
{
    memset(report, 0, sizeof *report);
    report->out = (struct line_out){.fd = STDOUT_FILENO, .name = "stdout"};
    report->total = total;
    report->latencies = calloc(total, sizeof *report->latencies);
    return report->latencies != NULL;
}

void report_deinit(struct report *report)
{
    free(report->latencies);
}

void report_start(struct report *report)
{
    report->started = clock_monotonic_ns();
}

static void clear_progress(const struct report *report)
{
    if (report->progress)
        fputs("\r\033[K", stderr);
}

static void print_line(struct report *report, const char *label, struct slice text)
{
    struct buf line;
    buf_init(&line, SHOWN_MAX + 256);
    int status = buf_printf(&line, "[Agent A] %s: ", label);
    if (status == 0)
        status = json_text_line(text, SHOWN_MAX, &line);
    if (status == 0)
        status = buf_append_char(&line, '\n');
    clear_progress(report);
    if (status == 0)
        line_out_write(&report->out, slice_of(line.data, line.len));
    else
        log_error("there is not enough memory to print a line");
    buf_deinit(&line);
}

void report_sending(struct report *report, struct slice call)
{
    if (report->each_call)
        print_line(report, "Sending JSON", call);
}

void report_answer(struct report *report, uint64_t latency_ns)
{
    report->latencies[report->n_latencies++] = latency_ns;
}

void report_status(struct report *report, int status)
{
    char text[16];
    snprintf(text, sizeof text, "%d", status);
    if (report->each_call)
        print_line(report, "Status", slice_str(text));
}

static void print_event(struct report *report, const struct server_event *event)
{
    struct buf text;
    buf_init(&text, SHOWN_MAX); /* a larger event is cut where it is printed */
    size_t room = SHOWN_MAX - 1;
    size_t type_len = event->type.len < room ? event->type.len : room;
    size_t data_len = event->data.len < room - type_len ? event->data.len : room - type_len;
    int status = buf_append(&text, event->type.data, type_len);
    if (status == 0)
        status = buf_append_char(&text, ' ');
    if (status == 0)
        status = buf_append(&text, event->data.data, data_len);
    if (status == 0)
        print_line(report, "Event", slice_of(text.data, text.len));
    buf_deinit(&text);
}

void report_event(struct report *report, const struct server_event *event, uint64_t number)
{
    if (!report->each_call || number > EVENTS_SHOWN)
        return;
    print_event(report, event);
    if (number == EVENTS_SHOWN)
        print_line(report, "Event", slice_str("(further events are not shown)"));
}

void report_content(struct report *report, struct slice content)
{
    if (report->each_call)
        print_line(report, "Response JSON", content);
}

void report_retry(struct report *report, const char *reason, uint64_t attempt, uint64_t max)
{
    char text[600];
    report->retries++;
    if (!report->each_call)
        return;
    snprintf(
        text, sizeof text, "attempt %" PRIu64 " of at most %" PRIu64 ": %s", attempt, max, reason);
    print_line(report, "Retrying", slice_str(text));
}

void report_unasked(struct report *report)
{
    report->unasked++;
    if (report->unasked > FAILURES_SHOWN)
        return; /* as of failures */
    clear_progress(report);
    log_error(
        "unasked_response: the server sent what no call had asked for; it is not looked at, and "
        "the connection is closed");
}

void report_end(struct report *report, struct slice call, const char *reason)
{
    char name[NAME_MAX_SHOWN];
    if (reason == NULL) {
        report->ok++;
        return;
    }
    report->failed++;
    if (report->failed > FAILURES_SHOWN)
        return; /* the summary counts them */
    clear_progress(report);
    log_error("call %s failed: %s", tool_call_name(call, name, sizeof name), reason);
    if (report->failed == FAILURES_SHOWN && report->total > FAILURES_SHOWN)
        log_error("further failures are only counted");
}

void report_progress(const struct report *report)
{
    if (!report->progress)
        return;
    fprintf(stderr, "\r\033[K[Agent A] %" PRIu64 " of %" PRIu64 " calls, %" PRIu64 " failed",
        report->ok + report->failed, report->total, report->failed);
    fflush(stderr);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The nearest rank: the smallest latency that PERCENT of all do not exceed. In ms. */
static double percentile(const struct report *report, uint64_t percent)
{
    uint64_t rank = (report->n_latencies * percent + 99) / 100;
    return (double)report->latencies[rank > 0 ? rank - 1 : 0] / 1e6;
}

/* ", 2 retries", or "" for none. */
static const char *count_text(uint64_t count, const char *what, char *out, size_t size)
{
    if (count > 0)
        snprintf(out, size, ", %" PRIu64 " %s", count, what);
    else
        out[0] = '\0';
    return out;
}

void report_summary(struct report *report)
{
    char retries[40];
    char unasked[50];
    double seconds = (double)(clock_monotonic_ns() - report->started) / 1e9;
    uint64_t calls = report->ok + report->failed;
    char latencies[100] = "";
    char line[400];
    clear_progress(report);
    if (report->total == 1)
        return;
    if (report->n_latencies > 0) {
        qsort(report->latencies, report->n_latencies, sizeof *report->latencies, compare);
        snprintf(latencies, sizeof latencies, ", p50 %.3f ms, p99 %.3f ms", percentile(report, 50),
            percentile(report, 99));
    }
    snprintf(line, sizeof line,
        "[Agent A] Summary: %" PRIu64 " calls, %" PRIu64 " ok, %" PRIu64
        " failed%s%s, %.3f s, %.1f calls/s%s\n",
        calls, report->ok, report->failed,
        count_text(report->retries, "retries", retries, sizeof retries),
        count_text(report->unasked, "unasked responses", unasked, sizeof unasked), seconds,
        seconds > 0 ? (double)calls / seconds : 0.0, latencies);
    line_out_write(&report->out, slice_str(line));
}
