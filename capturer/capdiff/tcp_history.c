#include "capturer/capdiff/tcp_history.h"

#include <stdlib.h>
#include <string.h>

#include "capturer/capdiff/memory.h"

#define RING_MIN ((size_t)512)

void tcp_history_deinit(struct tcp_history *history)
{
    free(history->ring);
    memset(history, 0, sizeof(*history));
}

void tcp_history_clear(struct tcp_history *history)
{
    history->len = history->end = 0;
}

/* How much of LEN bytes from AT on comes before the ring's end. */
static size_t before_end(const struct tcp_history *history, size_t at, size_t len)
{
    return len < history->size - at ? len : history->size - at;
}

static size_t place_of(const struct tcp_history *history, size_t back)
{
    return (history->end - back) & (history->size - 1);
}

/* A ring that has room for LEN bytes more than there are, or the biggest one. */
static void grow(struct tcp_history *history, size_t len)
{
    size_t size = history->size > 0 ? history->size : RING_MIN;
    uint8_t *ring;

    while (size < TCP_HISTORY_MAX && size < history->len + len)
        size *= 2;
    if (size == history->size)
        return;
    ring = memory_raw(size);
    if (history->len > 0)
        tcp_history_get(history, history->len, ring, history->len);
    free(history->ring);
    history->ring = ring;
    history->size = size;
    history->end = history->len & (size - 1);
}

void tcp_history_add(struct tcp_history *history, const uint8_t *data, size_t len)
{
    size_t first;

    if (len > TCP_HISTORY_MAX) {
        data += len - TCP_HISTORY_MAX;
        len = TCP_HISTORY_MAX;
    }
    if (history->len + len > history->size)
        grow(history, len);
    first = before_end(history, history->end, len);
    memcpy(history->ring + history->end, data, first);
    memcpy(history->ring, data + first, len - first);
    history->end = (history->end + len) & (history->size - 1);
    history->len = history->len + len < history->size ? history->len + len : history->size;
}

bool tcp_history_same(
    const struct tcp_history *history, size_t back, const uint8_t *data, size_t len)
{
    size_t at = place_of(history, back), first = before_end(history, at, len);

    return memcmp(history->ring + at, data, first) == 0 &&
           memcmp(history->ring, data + first, len - first) == 0;
}

void tcp_history_get(const struct tcp_history *history, size_t back, uint8_t *out, size_t len)
{
    size_t at = place_of(history, back), first = before_end(history, at, len);

    memcpy(out, history->ring + at, first);
    memcpy(out + first, history->ring, len - first);
}
