#include "capturer/capdiff/clock_offset.h"

static int64_t between(uint64_t later, uint64_t earlier)
{
    return (int64_t)(later - earlier);
}

/* Only the very same packets tell: the same connection, by its endpoints. */
static bool is_same_wire(const struct connection *near)
{
    return near->towards_server != NULL && (near->how == PAIR_ISN || near->how == PAIR_ENDPOINTS);
}

void clock_offset_take(struct clock_offset *offset, const struct exchange *near)
{
    const struct exchange *far = near->after;

    if (!is_same_wire(near->connection))
        return;
    if (near->request.first_ns != 0 && far->request.first_ns != 0) {
        int64_t most = between(far->request.first_ns, near->request.first_ns);

        if (offset->requests++ == 0 || most < offset->high_ns)
            offset->high_ns = most;
    }
    if (near->response.first_ns != 0 && far->response.first_ns != 0) {
        int64_t least = between(far->response.first_ns, near->response.first_ns);

        if (offset->responses++ == 0 || least > offset->low_ns)
            offset->low_ns = least;
    }
}

void clock_offset_find(struct clock_offset *offset, const struct connections *near, enum leg leg)
{
    for (size_t i = 0; i < near->count; i++) {
        const struct connection *connection = near->items[i];

        for (size_t k = 0; connection->leg == leg && k < connection->http.count; k++) {
            if (connection->http.items[k]->after != NULL)
                clock_offset_take(offset, connection->http.items[k]);
        }
    }
}

void clock_offset_end(struct clock_offset *offset)
{
    if (clock_offset_known(offset) && offset->low_ns > offset->high_ns) {
        int64_t low = offset->low_ns;

        offset->crossed = true;
        offset->low_ns = offset->high_ns;
        offset->high_ns = low;
    }
}

bool clock_offset_known(const struct clock_offset *offset)
{
    return offset->requests > 0 && offset->responses > 0;
}

int64_t clock_offset_ns(const struct clock_offset *offset)
{
    if (!clock_offset_known(offset) || (offset->low_ns <= 0 && offset->high_ns >= 0))
        return 0;
    return offset->low_ns + (offset->high_ns - offset->low_ns) / 2;
}

uint64_t clock_offset_uncertainty_ns(const struct clock_offset *offset)
{
    int64_t middle = clock_offset_ns(offset);
    int64_t up = offset->high_ns - middle, down = middle - offset->low_ns;

    return (uint64_t)(up > down ? up : down);
}
