/* Wiring: options, evidence, verdict, report; and the waiting for captures still being written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "capturer/capdiff/evidence.h"
#include "capturer/capdiff/options.h"
#include "capturer/capdiff/report.h"
#include "capturer/capdiff/verdict.h"
#include "lib/clock.h"
#include "lib/log.h"

#define EXIT_SAME 0
#define EXIT_DIFFER 1
#define EXIT_TROUBLE 2
#define EXIT_INCONCLUSIVE 3

#define WAIT_STEP_NS 200000000u
#define NS_PER_S 1000000000u
#define ERR_MAX 1024

struct run {
    struct capdiff_options options;
    struct evidence evidence;
    struct findings findings;
};

/* Rests as long as the last reading took, so that big captures do not keep a processor busy. */
static void rest(uint64_t reading_ns, uint64_t deadline)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t ns = reading_ns > WAIT_STEP_NS ? reading_ns : WAIT_STEP_NS;

    if (now + ns > deadline)
        ns = deadline > now ? deadline - now : 0;

    struct timespec time = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};

    (void)nanosleep(&time, NULL);
}

/*
 * Reads and judges; again and again with --wait, until nothing is missing that may yet come. 0, or
 * UV_E* with ERR and nothing to free.
 */
static int run_until_settled(struct run *run, char *err)
{
    uint64_t deadline = clock_monotonic_ns() + run->options.wait_s * NS_PER_S;

    for (;;) {
        uint64_t start = clock_monotonic_ns();
        int status = evidence_load(&run->evidence, &run->options, err, ERR_MAX);
        bool late = start >= deadline;

        if (status != 0 && (late || (status != UV_ENOENT && status != UV_EOF)))
            return status;
        if (status == 0) {
            verdict_find(&run->findings, &run->evidence, &run->options.ignore);
            if (late || !findings_may_heal(&run->findings))
                return 0;
            findings_deinit(&run->findings);
            evidence_deinit(&run->evidence);
        }
        rest(clock_monotonic_ns() - start, deadline);
    }
}

static bool wants_color(const struct capdiff_options *options, FILE *file)
{
    const char *no_color = getenv("NO_COLOR");

    if (options->color != COLOR_AUTO)
        return options->color == COLOR_ALWAYS;
    return (no_color == NULL || *no_color == '\0') && isatty(fileno(file));
}

/* The report must not overwrite what it speaks of. */
static bool is_input(const struct capdiff_options *options, const char *path)
{
    const char *const inputs[] = {options->proxy_path, options->server_path, options->client_path,
        options->exchange_log_path};
    struct stat output, input;

    if (stat(path, &output) != 0)
        return false;
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        if (inputs[i] != NULL && stat(inputs[i], &input) == 0 && input.st_dev == output.st_dev &&
            input.st_ino == output.st_ino)
            return true;
    }
    return false;
}

static void print_report(const struct run *run, const struct report *report, FILE *file)
{
    switch (run->options.format) {
    case FORMAT_JSON:
        report_json(report, file);
        break;
    case FORMAT_HTML:
        report_html(report, file);
        break;
    case FORMAT_JUNIT:
        report_junit(report, file);
        break;
    default:
        report_text(report, file, wants_color(&run->options, file));
        break;
    }
}

static int write_report(const struct run *run, int exit_status)
{
    const struct report report = {&run->evidence, &run->findings, exit_status};
    const char *path = run->options.output_path;
    FILE *file;
    bool failed;

    if (path != NULL && is_input(&run->options, path)) {
        log_error("--output %s is one of the files to compare: give it another name", path);
        return EXIT_TROUBLE;
    }
    file = path != NULL ? fopen(path, "w") : stdout;
    if (file == NULL) {
        log_error("cannot write the report to %s: %s", path, strerror(errno));
        return EXIT_TROUBLE;
    }
    print_report(run, &report, file);
    failed = fflush(file) != 0 || ferror(file) != 0;
    failed = (path != NULL && fclose(file) != 0) || failed;
    if (!failed)
        return exit_status;
    log_error("cannot write the report to %s: %s", path != NULL ? path : "standard output",
        strerror(errno));
    return EXIT_TROUBLE;
}

static int exit_status_of(enum verdict verdict)
{
    static const int statuses[] = {EXIT_SAME, EXIT_DIFFER, EXIT_INCONCLUSIVE};

    return statuses[verdict];
}

int main(int argc, char **argv)
{
    static struct run run;
    char err[ERR_MAX], shown[ERR_MAX]; /* a path may hold anything */
    int status;

    log_init("capdiff");
    switch (capdiff_options_read(&run.options, argc, argv)) {
    case OPTIONS_OK:
        break;
    case OPTIONS_DONE:
        return EXIT_SAME;
    case OPTIONS_USAGE:
        return EXIT_TROUBLE;
    }
    if (run_until_settled(&run, err) != 0) {
        log_error("%s", log_escape(slice_str(err), shown, sizeof(shown)));
        return EXIT_TROUBLE;
    }
    status = write_report(&run, exit_status_of(findings_verdict(&run.findings)));
    findings_deinit(&run.findings);
    evidence_deinit(&run.evidence);
    return status;
}
