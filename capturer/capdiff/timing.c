#include "capturer/capdiff/timing.h"

#include <string.h>

const char *span_text(enum span span)
{
    static const char *const texts[SPANS] = {
        "proxy, request", "on the way", "server", "proxy, response"};

    return texts[span];
}

/* From the request's first byte to the response's last; 0: not both were seen. */
static uint64_t duration(const struct exchange *exchange)
{
    if (exchange == NULL || exchange->request.first_ns == 0 ||
        exchange->response.last_ns < exchange->request.first_ns)
        return 0;
    return exchange->response.last_ns - exchange->request.first_ns;
}

static uint64_t above(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void timing_of(const struct crossing *crossing, struct timing *timing)
{
    const struct exchange *client = crossing->at[VIEW_CLIENT_LEG];
    const struct exchange *upstream = crossing->at[VIEW_UPSTREAM_LEG];
    uint64_t server = duration(crossing->at[VIEW_SERVER]), there = duration(upstream);

    memset(timing, 0, sizeof(*timing));
    for (int view = VIEWS; view-- > 0;) {
        uint64_t total = duration(crossing->at[view]);

        timing->total_ns = total != 0 ? total : timing->total_ns;
    }
    if (duration(client) == 0 || there == 0) {
        timing->spans[SPAN_SERVER] = server;
        return;
    }
    timing->spans[SPAN_PROXY_IN] = above(upstream->request.first_ns, client->request.first_ns);
    timing->spans[SPAN_PROXY_OUT] = above(client->response.last_ns, upstream->response.last_ns);
    timing->spans[SPAN_SERVER] = server < there ? server : there;
    timing->spans[SPAN_WAY] = there - timing->spans[SPAN_SERVER];
}
