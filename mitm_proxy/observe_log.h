/*
 * The lines that people tail: one per exchange on stdout, in colour on a terminal.
 *
 * Lines are gathered, written within 10 ms, and never waited for: when stdout is
 * a full pipe they are dropped, and a later line says how many.
 */
#ifndef MITM_PROXY_OBSERVE_LOG_H
#define MITM_PROXY_OBSERVE_LOG_H

#include "mitm_proxy/observer.h"

struct observe_log;

/* Writes to FD. NULL when there is no memory. */
struct observe_log *observe_log_new(int fd, bool colour);

/* One more that writes where FIRST does, which has to outlive it: for another thread, or NULL. */
struct observe_log *observe_log_join(const struct observe_log *first);

/* The observer; its close hook frees everything. */
struct observer observe_log_observer(struct observe_log *log);

/* True if FD is a terminal and NO_COLOR is not set. */
bool observe_log_wants_colour(int fd);

#endif
