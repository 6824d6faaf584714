#include "agent_a/run.h"

#include <stdlib.h>

#include "agent_a/answer.h"
#include "agent_a/client.h"
#include "agent_a/event_answer.h"
#include "agent_a/proof.h"
#include "agent_a/tool_call.h"
#include "lib/clock.h"

#define PROGRESS_INTERVAL 200 /* ms */

/* One connection and the call that it is busy with. */
struct worker {
    struct run *run;
    struct client *client;
    uv_timer_t rest;
    uint64_t number; /* of the call, from 1 */
    uint64_t attempts;
    uint64_t started; /* ns: its first attempt */
    struct buf call;
    struct buf request;
    bool streamed; /* the answer is events: */
    struct event_answer events;
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

/* The next call's text. 0 or an error of buf.h. */
static int worker_take_call(struct worker *worker)
{
    const struct run_config *config = worker->run->config;
    uint64_t index = worker->run->next++;
    worker->number = index + 1;
    worker->attempts = 0;
    worker->started = clock_monotonic_ns();
    buf_clear(&worker->call);
    if (config->n_calls == 0)
        return tool_call_default(worker->number, &worker->call);
    const struct buf *text = &config->calls[index % config->n_calls];
    return buf_append(&worker->call, text->data, text->len);
}

/* Each attempt is a message of its own, with its own signature. 0, UV_EINVAL, UV_E* of buf.h. */
static int worker_make_request(struct worker *worker)
{
    const struct run_config *config = worker->run->config;
    struct slice call = slice_of(worker->call.data, worker->call.len);
    buf_clear(&worker->request);
    if (config->defence == NULL)
        return tool_call_request(config->url, call, &worker->request);
    return proof_request(config->defence, config->url, call, &worker->request);
}

/* Sends the call, for the first time or again. */
static void worker_send(struct worker *worker)
{
    struct run *run = worker->run;
    run->status = worker_make_request(worker);
    if (run->status != 0) {
        worker_end(worker);
        return;
    }
    worker->attempts++;
    worker->streamed = false;
    event_answer_begin(&worker->events);
    report_sending(run->report, slice_of(worker->call.data, worker->call.len));
    client_send(worker->client, slice_of(worker->request.data, worker->request.len));
}

static void worker_next(struct worker *worker)
{
    struct run *run = worker->run;
    if (run->status != 0 || run->next + run->resting == run->config->total) {
        worker_end(worker);
        return;
    }
    run->status = worker_take_call(worker);
    if (run->status == 0)
        worker_send(worker);
    else
        worker_end(worker);
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

/* What the answer says: its body, or the result among its events. Absent: there is none. */
static struct slice worker_content(const struct worker *worker, const struct client_answer *answer)
{
    return worker->streamed ? event_answer_result(&worker->events) : answer->body;
}

/* What came of the call: it is told and written down, and the next one may come. */
static void worker_finish(
    struct worker *worker, const struct client_answer *answer, const struct outcome *outcome)
{
    struct run *run = worker->run;
    bool accepted = outcome->kind == OUTCOME_ACCEPTED;
    const struct result result = {
        .call = worker->number,
        .attempts = worker->attempts,
        .text = slice_of(worker->call.data, worker->call.len),
        .outcome = outcome,
        .status = answer->status,
        .duration_ns = clock_monotonic_ns() - worker->started,
        .streamed = worker->streamed,
        .events = worker->events.count,
        .response = accepted ? worker_content(worker, answer) : slice_of(NULL, 0),
    };
    report_end(run->report, result.text, accepted ? NULL : outcome->reason);
    if (run->config->results != NULL)
        results_write(run->config->results, &result);
    worker_go_on(worker);
}

static void on_event(void *arg, const struct server_event *event)
{
    struct worker *worker = arg;
    report_event(worker->run->report, event, worker->events.count);
}

static void on_head(void *arg, const struct http_head *head)
{
    struct worker *worker = arg;
    worker->streamed = event_answer_is(head);
    report_status(worker->run->report, head->status);
}

static void on_body(void *arg, struct slice bytes)
{
    struct worker *worker = arg;
    if (worker->streamed)
        event_answer_feed(&worker->events, bytes);
}

static void worker_judge(
    struct worker *worker, const struct client_answer *answer, struct outcome *outcome)
{
    struct run *run = worker->run;
    const struct question question = {
        .defence = run->config->defence,
        .request = slice_of(worker->request.data, worker->request.len),
        .call = slice_of(worker->call.data, worker->call.len),
    };
    report_answer(run->report, answer->latency_ns);
    if (worker->events.status != 0) {
        outcome_fail(outcome, "no_memory", "there is not enough memory for its events");
        return;
    }
    struct slice content = worker_content(worker, answer);
    if (content.data != NULL)
        report_content(run->report, content);
    answer_judge(&question, answer, content, outcome);
    if (outcome_is_astray(outcome))
        client_hang_up(worker->client);
}

static void on_answer(void *arg, const struct client_answer *answer)
{
    struct worker *worker = arg;
    const struct run_config *config = worker->run->config;
    struct outcome outcome = {0};
    if (answer->failure == NULL)
        worker_judge(worker, answer, &outcome);
    else
        outcome_fail(&outcome, answer->word, "%s", answer->failure);
    if (outcome_is_silence(&outcome) && worker->attempts <= config->retries) {
        report_retry(
            worker->run->report, outcome.reason, worker->attempts + 1, config->retries + 1);
        worker_send(worker);
    } else {
        worker_finish(worker, answer, &outcome);
    }
}

static void on_unasked(void *arg)
{
    struct worker *worker = arg;
    report_unasked(worker->run->report);
    if (worker->run->config->results != NULL)
        worker->run->config->results->unasked++;
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
        .proxy = run->config->proxy,
        .tls = run->config->tls,
        .timeout = run->config->timeout,
        .on_answer = on_answer,
        .on_head = on_head,
        .on_body = on_body,
        .on_unasked = on_unasked,
        .arg = worker,
    };
    worker->client = client_new(loop, &config);
    if (worker->client == NULL)
        return UV_ENOMEM;
    worker->run = run;
    uv_timer_init(loop, &worker->rest);
    worker->rest.data = worker;
    event_answer_init(&worker->events, on_event, worker);
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
        event_answer_deinit(&run.workers[i].events);
        buf_deinit(&run.workers[i].call);
        buf_deinit(&run.workers[i].request);
    }
    free(run.workers);
    return run.status;
}
