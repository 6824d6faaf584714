/*
 * Inputs that are scripts: records with '|' between them, each an order's letter and what comes
 * with it; and what a peer does by such an order.
 */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include "lib/slice.h"
#include "tests/fuzz/fake_net.h"

/* The next record, which SCRIPT is without then. */
struct slice script_next(struct slice *script);

/* The number that BYTES begin with, MAX at most, or OTHERWISE where there is none. */
uint64_t script_number(struct slice bytes, uint64_t max, uint64_t otherwise);

/*
 * The peer of SOCKET, which may be NULL, sends bytes (c) or KiB (C), ends (e) or breaks off (r),
 * takes nothing (s) or so many bytes more, or all (w), or makes the next write fail (a).
 */
void script_act(struct fake_socket *socket, char letter, struct slice rest);

#endif
