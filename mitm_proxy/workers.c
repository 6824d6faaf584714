#include "mitm_proxy/workers.h"

#include <stdlib.h>

#define LAST_WAIT_MS 500

static void on_patience_over(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

static void on_drained(void *arg)
{
    struct worker *worker = arg;
    uv_close((uv_handle_t *)&worker->drain, NULL);
    uv_timer_start(&worker->patience, on_patience_over, LAST_WAIT_MS, 0);
}

static void on_drain(uv_async_t *async)
{
    struct worker *worker = async->data;
    proxy_drain(&worker->proxy, on_drained, worker);
}

/* The thread. */
static void run(void *arg)
{
    struct worker *worker = arg;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&worker->patience, NULL);
    uv_run(&worker->loop, UV_RUN_NOWAIT);
    atomic_fetch_sub(&worker->workers->running, 1);
    uv_async_send(&worker->workers->ended);
}

static void join(struct workers *workers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        uv_thread_join(&workers->list[i].thread);
}

/* Their last act may still be to wake this loop: only when they are gone the handle may go. */
static void on_ended(uv_async_t *async)
{
    struct workers *workers = async->data;
    if (atomic_load(&workers->running) > 0)
        return;
    workers->live = false;
    join(workers, workers->count);
    uv_close((uv_handle_t *)async, NULL);
    workers->on_ended(workers->arg);
}

static int open_worker(struct worker *worker, struct workers *workers, const struct proxy *first)
{
    struct observer counting = counters_observer(&worker->counters);
    int err = uv_loop_init(&worker->loop);
    if (err)
        return err;
    worker->workers = workers;
    worker->drain.data = worker;
    uv_timer_init(&worker->loop, &worker->patience);
    uv_unref((uv_handle_t *)&worker->patience);
    err = uv_async_init(&worker->loop, &worker->drain, on_drain);
    if (!err)
        err = proxy_start_beside(&worker->proxy, &worker->loop, first);
    observers_add(&worker->proxy.observers, &counting);
    return err;
}

int workers_open(struct workers *workers, size_t count, uv_loop_t *loop, const struct proxy *first)
{
    int err = 0;
    if (count == 0)
        return 0;
    workers->list = calloc(count, sizeof *workers->list);
    if (!workers->list)
        return UV_ENOMEM;
    for (; !err && workers->count < count; workers->count++)
        err = open_worker(&workers->list[workers->count], workers, first);
    workers->ended.data = workers;
    return err ? err : uv_async_init(loop, &workers->ended, on_ended);
}

int workers_start(struct workers *workers, void (*on_end)(void *arg), void *arg)
{
    workers->on_ended = on_end;
    workers->arg = arg;
    workers->live = workers->count > 0;
    for (size_t i = 0; i < workers->count; i++) {
        struct worker *worker = &workers->list[i];
        atomic_fetch_add(&workers->running, 1);
        int err = uv_thread_create(&worker->thread, run, worker);
        if (err) {
            workers_drain(workers);
            join(workers, i);
            return err;
        }
    }
    return 0;
}

void workers_drain(struct workers *workers)
{
    for (size_t i = 0; i < workers->count; i++)
        uv_async_send(&workers->list[i].drain);
}

bool workers_ended(const struct workers *workers)
{
    return !workers->live;
}

bool workers_close(struct workers *workers)
{
    bool closed = true;
    for (size_t i = 0; i < workers->count; i++)
        observers_close(&workers->list[i].proxy.observers);
    for (size_t i = 0; i < workers->count; i++)
        closed = uv_loop_close(&workers->list[i].loop) == 0 && closed;
    if (closed)
        free(workers->list);
    return closed;
}
