/*
 * libuv without a kernel: the loop, its clock, timers, name lookups and the closing of handles.
 * What links this gets these functions in the place of libuv's; sockets are fake_net's.
 *
 * Time stands still until it is told to go on, and nothing is called but from within
 * fake_loop_turn and fake_loop_pass, as libuv would call it. What libuv forbids ends the program.
 */
#ifndef TESTS_FAKE_LOOP_H
#define TESTS_FAKE_LOOP_H

#include <stdbool.h>
#include <uv.h>

/* The loop, with no handle and the clock at its start. */
uv_loop_t *fake_loop_begin(void);
/* True when every handle has been closed, and nothing waits for its callback. */
bool fake_loop_is_over(void);

/* One turn without time: lookups that are done, sockets, what closes. True: something was done. */
bool fake_loop_turn(void);
/* Turns until nothing is to be done. */
void fake_loop_run(void);
/* Time goes by; timers fire in order, each at its time. */
void fake_loop_pass(uint64_t ms);
/* When the next timer fires, in ms from now; false: none will. */
bool fake_loop_next(uint64_t *ms);

/* How lookups end that begin from now on: 0 finds 10.1.0.1 and [fd00::1], or UV_EAI_*. */
void fake_loop_lookups(int status);

/* For fake_net: what libuv keeps of each handle. */
void fake_handle_init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type);
bool fake_handle_is_open(const uv_handle_t *handle);

#endif
