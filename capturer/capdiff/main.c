/* Wiring: options, evidence, verdict, outputs; and the waiting for captures still being written. */
#include <time.h>
#include <uv.h>

#include "capturer/capdiff/evidence.h"
#include "capturer/capdiff/hash.h"
#include "capturer/capdiff/options.h"
#include "capturer/capdiff/outputs.h"
#include "capturer/capdiff/redaction.h"
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
        if (status == 0 && run->options.server_path == NULL)
            return 0;
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
    hash_begin();
    switch (capdiff_options_read(&run.options, argc, argv)) {
    case OPTIONS_OK:
        break;
    case OPTIONS_DONE:
        return EXIT_SAME;
    case OPTIONS_USAGE:
        return EXIT_TROUBLE;
    }
    redaction_begin(&run.options.redact);
    if (run_until_settled(&run, err) != 0) {
        log_error("%s", log_escape(slice_str(err), shown, sizeof(shown)));
        return EXIT_TROUBLE;
    }
    status = run.options.server_path != NULL ? exit_status_of(findings_verdict(&run.findings))
                                             : EXIT_SAME; /* nothing was judged */
    redaction_mask(&run.evidence);
    if (!outputs_write(&(struct report){&run.evidence, &run.findings, status}, &run.options))
        status = EXIT_TROUBLE;
    findings_deinit(&run.findings);
    evidence_deinit(&run.evidence);
    return status;
}
