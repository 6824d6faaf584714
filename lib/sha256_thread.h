/*
 * A thread that hashes beside its caller, for one digest that is long. Part of sha256.
 *
 * What is given is copied into a ring of 1 MiB, and the caller goes on; where that is full it waits
 * for room. All functions are for one thread at a time.
 */
#ifndef LIB_SHA256_THREAD_H
#define LIB_SHA256_THREAD_H

#include <stddef.h>

#define SHA256_THREADS_MAX 4 /* at once, in the whole process */

struct sha256_thread;

/* What hashes LEN bytes into STATE, in the order in which they were given. */
typedef void (*sha256_thread_hash)(void *state, const void *data, size_t len);

/* From now on STATE is HASH's alone. NULL: there are enough threads, or there is no more to be had.
 */
struct sha256_thread *sha256_thread_new(sha256_thread_hash hash, void *state);

void sha256_thread_give(struct sha256_thread *thread, const void *data, size_t len);

/* When all that was given is hashed. The state is the caller's again. NULL is none. */
void sha256_thread_free(struct sha256_thread *thread);

#endif
