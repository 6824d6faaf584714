/*
 * Threads that each run a proxy on a loop of their own, beside the first proxy on the main loop,
 * and share its port. They are asked to drain, and tell when all have ended.
 */
#ifndef MITM_PROXY_WORKERS_H
#define MITM_PROXY_WORKERS_H

#include "mitm_proxy/counters.h"
#include "mitm_proxy/proxy.h"

#define WORKERS_MAX 64 /* with the first */

struct worker {
    struct proxy proxy;
    struct counters counters;
    uv_loop_t loop;
    uv_async_t drain;
    uv_timer_t patience; /* keeps nothing alive: ends a loop that others keep alive */
    uv_thread_t thread;
    struct workers *workers;
};

/* Zeroed: there are none. */
struct workers {
    struct worker *list;
    size_t count;
    atomic_size_t running; /* threads whose loops do … */
    bool live;             /* … and whether on_ended is still to be called */
    uv_async_t ended;      /* on the main loop */
    void (*on_ended)(void *arg);
    void *arg;
};

/*
 * Makes COUNT of them, whose proxies listen from here on. What else their proxies need is the
 * caller's to give before the start. 0, UV_E* or UV_EAI_*.
 */
int workers_open(struct workers *workers, size_t count, uv_loop_t *loop, const struct proxy *first);

/*
 * Threads inherit the sandbox: start them when it is there. ON_END is called on the main loop
 * when all of them have drained. 0 or UV_E*, and none runs.
 */
int workers_start(struct workers *workers, void (*on_end)(void *arg), void *arg);

/* Each drains as proxy_drain has it, and then its thread ends. */
void workers_drain(struct workers *workers);

/* There are none, or on_ended was called. From the main loop. */
bool workers_ended(const struct workers *workers);

/*
 * After the end, or where none was started: closes the observers. False: a loop is still in use,
 * by a name lookup that nothing can stop, and nothing was freed.
 */
bool workers_close(struct workers *workers);

#endif
