/*
 * The last bytes that a stream has given, for a look at what is sent again: is it the same?
 *
 * As many as are needed, up to TCP_HISTORY_MAX; older ones are forgotten.
 */
#ifndef CAPDIFF_TCP_HISTORY_H
#define CAPDIFF_TCP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_HISTORY_MAX ((size_t)16 * 1024) /* a power of two */

struct tcp_history {
    uint8_t *ring; /* NULL: nothing */
    size_t size;   /* of the ring: a power of two */
    size_t len;    /* bytes that are remembered */
    size_t end;    /* where the next one goes */
};

void tcp_history_deinit(struct tcp_history *history);

/* Forgets all. */
void tcp_history_clear(struct tcp_history *history);

void tcp_history_add(struct tcp_history *history, const uint8_t *data, size_t len);

/* Whether the bytes from BACK before the end on begin with DATA; BACK is at most what is there. */
bool tcp_history_same(
    const struct tcp_history *history, size_t back, const uint8_t *data, size_t len);

/* Copies LEN of them. */
void tcp_history_get(const struct tcp_history *history, size_t back, uint8_t *out, size_t len);

#endif
