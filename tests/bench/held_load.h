/*
 * The load of tests/bench/held: connections to one address, each watched by one epoll.
 */
#ifndef TESTS_BENCH_HELD_LOAD_H
#define TESTS_BENCH_HELD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Nothing happens for so long: the run has failed. */
#define STALL_MS 60000
#define STALL_NS (STALL_MS * 1000000ull)

/* Prints what went wrong, and ends the program. */
void load_fail(const char *what) __attribute__((noreturn));

/*
 * Begins to connect to PORT on this machine, from one of several addresses, so that ports do not
 * run out. INDEX is what events on it tell. Returns the descriptor.
 */
int load_connect(int epoll, uint16_t port, size_t index);

/* Numbers in order: the one below which PER_MILLE of them are. 0 where there are none. */
uint32_t load_quantile(uint32_t *values, size_t count, unsigned int per_mille);

/* COUNT connections with a call each; again with each line of the standard input. */
void calls_hold(uint16_t port, size_t count);
/*
 * RATE calls in a second on COUNT connections, which take turns, or as many as can be (0).
 * Latencies are those of all but the first call of each. With ANY_HEAD an answer may have other
 * fields than the origin gave it.
 */
void calls_pace(
    uint16_t port, size_t count, unsigned int rate, unsigned int seconds, bool any_head);
/* COUNT streams of events to PORT and DIRECT of them to DIRECT_PORT, for so many SECONDS. */
void events_watch(
    uint16_t port, size_t count, uint16_t direct_port, size_t direct, unsigned int seconds);

#endif
