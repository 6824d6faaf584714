#include "agent_a/readiness.h"

#include <inttypes.h>
#include <stdio.h>

#include "agent_a/client.h"
#include "lib/log.h"

#define INTERVAL 250      /* ms */
#define QUESTION_MAX 5000 /* ms: one that is never answered must not use up the wait */
#define REQUEST_MAX (2 * HOSTPORT_TEXT_MAX + 200)
#define REASON_MAX 512

struct readiness {
    uv_loop_t *loop;
    struct client_config config;
    struct client *client; /* the one that asks now, or NULL */
    uv_timer_t pause;
    uv_timer_t limit;
    uv_signal_t signals[2]; /* PID 1 of a container has no default action */
    bool ready;
    bool interrupted;
    char request[REQUEST_MAX];
    char reason[REASON_MAX]; /* why the last question was in vain */
};

static void readiness_end(struct readiness *readiness)
{
    if (readiness->client != NULL)
        client_close(readiness->client);
    readiness->client = NULL;
    uv_close((uv_handle_t *)&readiness->pause, NULL);
    uv_close((uv_handle_t *)&readiness->limit, NULL);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&readiness->signals[i], NULL);
}

static void on_limit(uv_timer_t *timer)
{
    readiness_end(timer->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct readiness *readiness = handle->data;
    (void)number;
    readiness->interrupted = true;
    readiness_end(readiness);
}

static void on_pause_over(uv_timer_t *timer)
{
    struct readiness *readiness = timer->data;
    readiness->client = client_new(readiness->loop, &readiness->config);
    if (readiness->client != NULL)
        client_send(readiness->client, slice_str(readiness->request));
    else
        readiness_end(readiness);
}

static void on_answer(void *arg, const struct client_answer *answer)
{
    struct readiness *readiness = arg;
    if (answer->failure != NULL)
        snprintf(readiness->reason, sizeof readiness->reason, "%s", answer->failure);
    else
        snprintf(
            readiness->reason, sizeof readiness->reason, "/healthz answered %d", answer->status);
    readiness->ready = answer->failure == NULL && answer->status / 100 == 2;
    if (readiness->ready) {
        readiness_end(readiness);
        return;
    }
    client_close(readiness->client);
    readiness->client = NULL;
    uv_timer_start(&readiness->pause, on_pause_over, INTERVAL, 0);
}

static void readiness_watch(struct readiness *readiness, uint64_t limit)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    uv_timer_init(readiness->loop, &readiness->pause);
    uv_timer_init(readiness->loop, &readiness->limit);
    readiness->pause.data = readiness;
    readiness->limit.data = readiness;
    uv_timer_start(&readiness->limit, on_limit, limit, 0);
    uv_timer_start(&readiness->pause, on_pause_over, 0, 0);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(readiness->loop, &readiness->signals[i]);
        readiness->signals[i].data = readiness;
        uv_signal_start(&readiness->signals[i], on_signal, numbers[i]);
    }
}

bool readiness_wait(uv_loop_t *loop, const struct readiness_config *config)
{
    const struct http_url *url = config->url;
    uint64_t limit = config->seconds * 1000;
    bool absolute = config->proxy != NULL && !url->tls;
    struct readiness readiness = {
        .loop = loop,
        .config = {.origin = &url->origin,
            .proxy = config->proxy,
            .tls = config->tls,
            .timeout = limit < QUESTION_MAX ? limit : QUESTION_MAX,
            .on_answer = on_answer,
            .arg = &readiness},
        .reason = "it did not answer",
    };
    snprintf(readiness.request, sizeof readiness.request,
        "GET %s%s/healthz HTTP/1.1\r\nHost: %s\r\nUser-Agent: agent_a/" AGENT_MITM_VERSION "\r\n"
        "Accept: application/json\r\nConnection: close\r\n\r\n",
        absolute ? "http://" : "", absolute ? url->authority : "", url->authority);
    readiness_watch(&readiness, limit);
    uv_run(loop, UV_RUN_DEFAULT);
    if (readiness.interrupted)
        log_error("stopped waiting for %s: a signal came", url->authority);
    else if (!readiness.ready)
        log_error("%s was not ready within %" PRIu64
                  " s: %s; is it running, and has it a /healthz?",
            url->authority, config->seconds, readiness.reason);
    return readiness.ready;
}
