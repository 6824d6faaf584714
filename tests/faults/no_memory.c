/*
 * Memory that is refused by chance. To be preloaded: NO_MEMORY names a file of two 64-bit words,
 * how many of a million calls fail, and a seed. The n-th call fails or not by n and the seed alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/faults/control.h"

#define MILLION 1000000
#define EARLY_SIZE 8192 /* for what dlsym itself asks for */

static void *(*real_malloc)(size_t size);
static void *(*real_calloc)(size_t count, size_t size);
static void *(*real_realloc)(void *old, size_t size);
static void (*real_free)(void *memory);
static const volatile int64_t *chance;
static atomic_ullong calls;

static _Alignas(max_align_t) char early[EARLY_SIZE];
static size_t early_used;

static void *take_early(size_t size)
{
    size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    if (size > sizeof early - early_used)
        abort();
    early_used += size;
    return early + early_used - size;
}

static bool is_early(const void *memory)
{
    const char *at = memory;
    return at >= early && at < early + sizeof early;
}

/* False while it is at it: then only early memory is to be had. */
static bool is_ready(void)
{
    static bool beginning;
    if (real_free)
        return true;
    if (beginning)
        return false;
    beginning = true;
    *(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&real_free = dlsym(RTLD_NEXT, "free");
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    chance = control_open("NO_MEMORY");
}

/* SplitMix64 of a number. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool is_refused(void)
{
    if (!chance || chance[0] == 0)
        return false;
    uint64_t n = atomic_fetch_add(&calls, 1);
    if (mix((uint64_t)chance[1] ^ mix(n)) % MILLION >= (uint64_t)chance[0])
        return false;
    errno = ENOMEM;
    return true;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): theirs are reserved */
void *malloc(size_t size)
{
    if (!is_ready())
        return take_early(size);
    return is_refused() ? NULL : real_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (!is_ready())
        return take_early(count * size);
    return is_refused() ? NULL : real_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    if (!is_ready() || is_early(old))
        abort();
    return is_refused() ? NULL : real_realloc(old, size);
}

void free(void *memory)
{
    if (!is_early(memory) && is_ready())
        real_free(memory);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
