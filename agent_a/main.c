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

/* What the calls are made with. */
struct agent {
    struct agent_a_options options;
    struct buf calls[sizeof((struct option_list *)0)->items / sizeof(const char *)];
    struct defence *defence; /* NULL: none */
    struct tls_context *tls; /* NULL: HTTP without TLS */
    uv_loop_t *loop;
};

static int make_calls(struct agent *agent, struct results *results)
{
    const struct agent_a_options *options = &agent->options;
    size_t kinds = options->calls.count > 0 ? options->calls.count : 1;
    const struct run_config config = {
        .url = &options->url,
        .proxy = options->proxied ? &options->proxy : NULL,
        .calls = agent->calls,
        .n_calls = options->calls.count,
        .total = options->count * kinds,
        .concurrency = options->concurrency,
        .interval = options->interval,
        .timeout = options->timeout * 1000,
        .retries = options->retries,
        .defence = agent->defence,
        .tls = agent->tls,
        .results = results,
    };
    struct report report;
    int status = UV_ENOMEM;
    if (report_init(&report, config.total)) {
        report.each_call = options->verbose || (config.total <= CALLS_SHOWN && !options->quiet);
        report.progress = !report.each_call && isatty(STDERR_FILENO);
        status = run_calls(agent->loop, &config, &report);
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

static int await_and_make_calls(struct agent *agent, struct results *results)
{
    const struct agent_a_options *options = &agent->options;
    const struct readiness_config config = {
        .url = &options->url,
        .proxy = options->proxied ? &options->proxy : NULL,
        .tls = agent->tls,
        .seconds = options->wait,
    };
    if (options->wait > 0 && !readiness_wait(agent->loop, &config))
        return EXIT_FAILURE;
    return make_calls(agent, results);
}

/* As make_calls; the results go to their file where one is named. */
static int make_and_write_calls(struct agent *agent)
{
    struct results results;
    const char *file = agent->options.results;
    if (file == NULL)
        return await_and_make_calls(agent, NULL);
    int status = results_open(&results, file);
    if (status != 0) {
        log_error("cannot write the results to %s: %s", file,
            status == UV_ELOOP    ? "it is a symbolic link"
            : status == UV_EINVAL ? "it is no regular file"
                                  : uv_strerror(status));
        return EXIT_USAGE;
    }
    status = await_and_make_calls(agent, &results);
    return results_close(&results) ? status : EXIT_FAILURE;
}

/* Both return false, and have logged, when what the options name cannot be used. */
static bool open_defence(struct agent *agent)
{
    const struct defence_options *options = &agent->options.defence;
    if (options->profile != DEFENCE_NONE)
        agent->defence = defence_new(options, "agent_a", "agent_b");
    return options->profile == DEFENCE_NONE || agent->defence != NULL;
}

static bool open_tls(struct agent *agent)
{
    char why[TLS_WHY_MAX];
    const struct agent_a_options *options = &agent->options;
    const struct tls_config config = {
        .cert_file = options->cert,
        .key_file = options->tls_key,
        .ca_file = options->ca,
        .keylog_file = options->keylog,
    };
    if (!options->url.tls)
        return true;
    agent->tls = tls_context_new(&config, why);
    if (agent->tls == NULL)
        log_error("cannot speak TLS: %s", why);
    return agent->tls != NULL;
}

static int run(struct agent *agent)
{
    agent->loop = uv_default_loop();
    if (agent->loop == NULL) {
        log_error("cannot start: there are too few descriptors or there is too little memory");
        return EXIT_FAILURE;
    }
    int status = EXIT_USAGE;
    if (load_calls(&agent->options.calls, agent->calls) == 0)
        status = make_and_write_calls(agent);
    for (size_t i = 0; i < agent->options.calls.count; i++)
        buf_deinit(&agent->calls[i]);
    return uv_loop_close(agent->loop) == 0 ? status : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct agent agent;
    process_init();
    enum options_result result = agent_a_options_read(&agent.options, argc, argv);
    if (result != OPTIONS_OK)
        return result == OPTIONS_DONE ? EXIT_SUCCESS : EXIT_USAGE;
    int status = open_defence(&agent) && open_tls(&agent) ? run(&agent) : EXIT_USAGE;
    tls_context_free(agent.tls);
    defence_free(agent.defence);
    return status;
}
