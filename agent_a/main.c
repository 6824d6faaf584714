/*
 * agent_a: the client end of the lab. Wires options, calls, the run and its report.
 */
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "agent_a/options.h"
#include "agent_a/readiness.h"
#include "agent_a/results.h"
#include "agent_a/run.h"
#include "agent_a/tool_call.h"
#include "lib/log.h"
#include "lib/process.h"

#define EXIT_USAGE 2
#define CALLS_SHOWN 20 /* more are printed only with --verbose */

static int load_calls(const struct option_list *files, struct buf *calls)
{
    for (size_t i = 0; i < files->count; i++) {
        buf_init(&calls[i], TOOL_CALL_MAX);
        int status = tool_call_load(files->items[i], &calls[i]);
        if (status == UV_ENOBUFS)
            log_error("the call in %s is larger than 8 MiB", files->items[i]);
        else if (status != 0)
            log_error("cannot read the call in %s: %s", files->items[i], uv_strerror(status));
        if (status != 0)
            return status;
    }
    return 0;
}

static int make_calls(const struct agent_a_options *options, const struct buf *calls,
    const struct defence *defence, struct results *results, uv_loop_t *loop)
{
    size_t kinds = options->calls.count > 0 ? options->calls.count : 1;
    const struct run_config config = {
        .url = &options->url,
        .calls = calls,
        .n_calls = options->calls.count,
        .total = options->count * kinds,
        .concurrency = options->concurrency,
        .interval = options->interval,
        .timeout = options->timeout * 1000,
        .retries = options->retries,
        .defence = defence,
        .results = results,
    };
    struct report report;
    int status = UV_ENOMEM;
    if (report_init(&report, config.total)) {
        report.each_call = options->verbose || (config.total <= CALLS_SHOWN && !options->quiet);
        report.progress = !report.each_call && isatty(STDERR_FILENO);
        status = run_calls(loop, &config, &report);
        report_summary(&report);
        line_out_report(&report.out);
    }
    if (status != 0)
        log_error("stopped before all calls were made: %s",
            status == UV_ECANCELED ? "a signal came" : uv_strerror(status));
    bool good = status == 0 && report.ok == config.total && report.out.lost == 0;
    report_deinit(&report);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int await_and_make_calls(const struct agent_a_options *options, const struct buf *calls,
    const struct defence *defence, struct results *results, uv_loop_t *loop)
{
    if (options->wait > 0 && !readiness_wait(loop, &options->url, options->wait))
        return EXIT_FAILURE;
    return make_calls(options, calls, defence, results, loop);
}

/* As make_calls; the results go to their file where one is named. */
static int make_and_write_calls(const struct agent_a_options *options, const struct buf *calls,
    const struct defence *defence, uv_loop_t *loop)
{
    struct results results;
    if (options->results == NULL)
        return await_and_make_calls(options, calls, defence, NULL, loop);
    int status = results_open(&results, options->results);
    if (status != 0) {
        log_error("cannot write the results to %s: %s", options->results,
            status == UV_ELOOP    ? "it is a symbolic link"
            : status == UV_EINVAL ? "it is no regular file"
                                  : uv_strerror(status));
        return EXIT_USAGE;
    }
    status = await_and_make_calls(options, calls, defence, &results, loop);
    return results_close(&results) ? status : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct buf calls[sizeof((struct option_list *)0)->items / sizeof(const char *)];
    struct agent_a_options options;
    process_init();
    enum options_result result = agent_a_options_read(&options, argc, argv);
    if (result != OPTIONS_OK)
        return result == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    bool defends = options.defence.profile != DEFENCE_NONE;
    struct defence *defence = defends ? defence_new(&options.defence, "agent_a", "agent_b") : NULL;
    if (defends && defence == NULL)
        return EXIT_USAGE;
    uv_loop_t *loop = uv_default_loop();
    if (loop == NULL) {
        log_error("cannot start: there are too few descriptors or there is too little memory");
        defence_free(defence);
        return EXIT_FAILURE;
    }
    int status = EXIT_USAGE;
    if (load_calls(&options.calls, calls) == 0)
        status = make_and_write_calls(&options, calls, defence, loop);
    for (size_t i = 0; i < options.calls.count; i++)
        buf_deinit(&calls[i]);
    defence_free(defence);
    return uv_loop_close(loop) == 0 ? status : EXIT_FAILURE;
}
