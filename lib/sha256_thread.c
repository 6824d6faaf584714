#include "lib/sha256_thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define RING (1UL << 20)
#define WORTH_WAKING (RING / 2) /* bytes */
#define STEP (RING / 8)         /* bytes that are hashed until there is room again */

struct sha256_thread {
    uv_thread_t thread;
    uv_mutex_t lock; /* of what is below */
    uv_cond_t moved;
    size_t given, hashed; /* bytes, of the whole digest */
    bool ends;
    sha256_thread_hash hash;
    void *state;
    char ring[RING];
};

static atomic_int threads;

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes that may be hashed by now; 0: there will be none. With the lock. */
static size_t wait_for_bytes(struct sha256_thread *thread)
{
    while (!thread->ends && thread->given - thread->hashed < WORTH_WAKING)
        uv_cond_wait(&thread->moved, &thread->lock);
    return thread->given - thread->hashed;
}

static void run(void *arg)
{
    struct sha256_thread *thread = arg;
    size_t len;
    uv_mutex_lock(&thread->lock);
    while ((len = wait_for_bytes(thread)) > 0) {
        size_t at = thread->hashed % RING;
        len = least(least(len, STEP), RING - at);
        uv_mutex_unlock(&thread->lock);
        thread->hash(thread->state, thread->ring + at, len);
        uv_mutex_lock(&thread->lock);
        thread->hashed += len;
        uv_cond_signal(&thread->moved);
    }
    uv_mutex_unlock(&thread->lock);
}

static struct sha256_thread *start(struct sha256_thread *thread)
{
    if (uv_mutex_init(&thread->lock) != 0)
        goto no_lock;
    if (uv_cond_init(&thread->moved) != 0)
        goto no_condition;
    if (uv_thread_create(&thread->thread, run, thread) == 0)
        return thread;
    uv_cond_destroy(&thread->moved);
no_condition:
    uv_mutex_destroy(&thread->lock);
no_lock:
    free(thread);
    return NULL;
}

struct sha256_thread *sha256_thread_new(sha256_thread_hash hash, void *state)
{
    struct sha256_thread *thread = NULL;
    if (atomic_fetch_add(&threads, 1) < SHA256_THREADS_MAX)
        thread = malloc(sizeof *thread);
    if (thread) {
        thread->given = thread->hashed = 0;
        thread->ends = false;
        thread->hash = hash;
        thread->state = state;
        thread = start(thread);
    }
    if (!thread)
        atomic_fetch_sub(&threads, 1);
    return thread;
}

/* Room behind what is given, up to the ring's end. */
static size_t wait_for_room(struct sha256_thread *thread)
{
    uv_mutex_lock(&thread->lock);
    while (thread->given - thread->hashed == RING)
        uv_cond_wait(&thread->moved, &thread->lock);
    size_t room = RING - (thread->given - thread->hashed);
    uv_mutex_unlock(&thread->lock);
    return least(room, RING - thread->given % RING);
}

void sha256_thread_give(struct sha256_thread *thread, const void *data, size_t len)
{
    const char *from = data;
    while (len > 0) {
        size_t some = least(wait_for_room(thread), len);
        memcpy(thread->ring + thread->given % RING, from, some);
        from += some;
        len -= some;
        uv_mutex_lock(&thread->lock);
        thread->given += some;
        if (thread->given - thread->hashed >= WORTH_WAKING)
            uv_cond_signal(&thread->moved);
        uv_mutex_unlock(&thread->lock);
    }
}

void sha256_thread_free(struct sha256_thread *thread)
{
    if (!thread)
        return;
    uv_mutex_lock(&thread->lock);
    thread->ends = true;
    uv_cond_signal(&thread->moved);
    uv_mutex_unlock(&thread->lock);
    uv_thread_join(&thread->thread);
    uv_cond_destroy(&thread->moved);
    uv_mutex_destroy(&thread->lock);
    free(thread);
    atomic_fetch_sub(&threads, 1);
}
