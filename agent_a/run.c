#include "agent_a/run.h"

#include <stdlib.h>

#include "agent_a/client.h"
#include "agent_a/proof.h"
#include "agent_a/tool_call.h"

#define PROGRESS_INTERVAL 200 /* ms */
#define REASON_MAX 512

/* One connection and the call that it is busy with. */
struct worker {
    struct run *run;
    struct client *client;
    uv_timer_t rest;
    struct buf call;
    struct buf request;
    bool gone; /* its handles are closing */
};

struct run {
    const struct run_config *config;
    struct report *report;
    uint64_t next;    /* calls that were begun */
    uint64_t resting; /* workers that rest, each before a call that is left for it */
    struct worker *workers;
    size_t n_workers;
    size_t working;
    uv_timer_t progress;
    uv_signal_t signals[2];
    int status;
};

static void run_end(struct run *run)
{
    uv_close((uv_handle_t *)&run->progress, NULL);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
}

static void worker_end(struct worker *worker)
{
    if (worker->gone)
        return;
    worker->gone = true;
    client_close(worker->client);
    uv_close((uv_handle_t *)&worker->rest, NULL);
    if (--worker->run->working == 0)
        run_end(worker->run);
}

/* The next call's text and request; UV_ENOMEM, or UV_ENOBUFS when it is too large. */
static int worker_prepare(struct worker *worker)
{
    const struct run_config *config = worker->run->config;
    uint64_t number = worker->run->next++;
    buf_clear(&worker->call);
    buf_clear(&worker->request);
    int status;
    if (config->n_calls == 0) {
        status = tool_call_default(number + 1, &worker->call);
    } else {
        const struct buf *text = &config->calls[number % config->n_calls];
        status = buf_append(&worker->call, text->data, text->len);
    }
    struct slice call = slice_of(worker->call.data, worker->call.len);
    if (status != 0 || config->defence == NULL)
        return status != 0 ? status : tool_call_request(config->url, call, &worker->request);
    return proof_request(config->defence, config->url, call, &worker->request);
}

static void worker_next(struct worker *worker)
{
    struct run *run = worker->run;
    if (run->status != 0 || run->next + run->resting == run->config->total) {
        worker_end(worker);
        return;
    }
    run->status = worker_prepare(worker);
    if (run->status != 0) {
        worker_end(worker);
        return;
    }
    report_sending(run->report, slice_of(worker->call.data, worker->call.len));
    client_send(worker->client, slice_of(worker->request.data, worker->request.len));
}

static void on_rested(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    worker->run->resting--;
    worker_next(worker);
}

/* The next call after a rest, where one is left for this worker too. */
static void worker_go_on(struct worker *worker)
{
    struct run *run = worker->run;
    uint64_t interval = run->config->interval;
    if (interval == 0 || run->next + run->resting >= run->config->total) {
        worker_next(worker);
        return;
    }
    run->resting++;
    uv_timer_start(&worker->rest, on_rested, interval, 0);
}

/* Whether the answer is good; otherwise REASON says why not. */
static bool worker_check(
    const struct worker *worker, const struct client_answer *answer, char *reason, size_t size)
{
    const struct defence *defence = worker->run->config->defence;
    struct slice request = slice_of(worker->request.data, worker->request.len);
    struct slice call = slice_of(worker->call.data, worker->call.len);
    return (defence == NULL || proof_check(defence, request, answer, reason, size)) &&
           tool_call_check(call, answer->status, answer->body, reason, size);
}

static void on_answer(void *arg, const struct client_answer *answer)
{
    struct worker *worker = arg;
    struct run *run = worker->run;
    struct slice call = slice_of(worker->call.data, worker->call.len);
    char text[REASON_MAX];
    const char *reason = answer->failure;
    if (reason == NULL) {
        report_answer(run->report, answer->status, answer->body, answer->latency_ns);
        if (!worker_check(worker, answer, text, sizeof text))
            reason = text;
    }
    report_end(run->report, call, reason);
    worker_go_on(worker);
}

static void on_progress(uv_timer_t *timer)
{
    struct run *run = timer->data;
    report_progress(run->report);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    (void)number;
    run->status = UV_ECANCELED;
    for (size_t i = 0; i < run->n_workers; i++)
        worker_end(&run->workers[i]);
}

static int worker_open(struct worker *worker, struct run *run, uv_loop_t *loop)
{
    const struct client_config config = {
        .origin = &run->config->url->origin,
        .timeout = run->config->timeout,
        .on_answer = on_answer,
        .arg = worker,
    };
    worker->client = client_new(loop, &config);
    if (worker->client == NULL)
        return UV_ENOMEM;
    worker->run = run;
    uv_timer_init(loop, &worker->rest);
    worker->rest.data = worker;
    buf_init(&worker->call, TOOL_CALL_MAX);
    buf_init(&worker->request, TOOL_CALL_MAX + TOOL_CALL_HEAD_MAX);
    run->n_workers++;
    run->working++;
    return 0;
}

static void run_watch(struct run *run, uv_loop_t *loop)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    uv_timer_init(loop, &run->progress);
    run->progress.data = run;
    uv_timer_start(&run->progress, on_progress, PROGRESS_INTERVAL, PROGRESS_INTERVAL);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &run->signals[i]);
        run->signals[i].data = run;
        uv_signal_start(&run->signals[i], on_signal, numbers[i]);
    }
}

int run_calls(uv_loop_t *loop, const struct run_config *config, struct report *report)
{
    struct run run = {.config = config, .report = report};
    size_t wanted = config->concurrency < config->total ? config->concurrency : config->total;
    run.workers = calloc(wanted, sizeof *run.workers);
    if (run.workers == NULL)
        return UV_ENOMEM;
    report_start(report);
    while (run.n_workers < wanted && run.status == 0)
        run.status = worker_open(&run.workers[run.n_workers], &run, loop);
    if (run.n_workers > 0)
        run_watch(&run, loop);
    for (size_t i = 0; i < run.n_workers; i++)
        worker_next(&run.workers[i]);
    uv_run(loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < run.n_workers; i++) {
        buf_deinit(&run.workers[i].call);
        buf_deinit(&run.workers[i].request);
    }
    free(run.workers);
    return run.status;
}
