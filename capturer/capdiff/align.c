#include "capturer/capdiff/align.h"

#include <string.h>

#define AHEAD_MAX 64 /* exchanges looked at to get the count right again */

struct slice align_start_line(const struct exchange *exchange)
{
    const struct buf *raw = &exchange->request.raw;
    const char *eol = raw->len > 0 ? memchr(raw->data, '\r', raw->len) : NULL;

    return slice_of(raw->data, eol != NULL ? (size_t)(eol - raw->data) : raw->len);
}

bool align_same_call(const struct exchange *a, const struct exchange *b)
{
    if (a->call_id != NULL && b->call_id != NULL)
        return strcmp(a->call_id, b->call_id) == 0;
    return a->request.len > 0 && message_equal(&a->request, &b->request);
}

/* Where a response alone was recorded, it is the one that answers with the same bytes. */
static bool same_response(const struct exchange *a, const struct exchange *b)
{
    return (a->request.state == MESSAGE_NONE || b->request.state == MESSAGE_NONE) &&
           a->response.len > 0 && message_equal(&a->response, &b->response);
}

static bool same(const struct exchange *a, const struct exchange *b)
{
    return align_same_call(a, b) || same_response(a, b);
}

/* How many exchanges of MANY from AT on come before the one that is ONE; MAX: none within MAX. */
static size_t distance(
    const struct exchange *one, const struct exchanges *many, size_t at, size_t max)
{
    size_t n = 0;

    while (n < max && at + n < many->count && !same(one, many->items[at + n]))
        n++;
    return at + n < many->count ? n : max;
}

static void join(struct exchange *near, struct exchange *far)
{
    near->after = far;
    far->before = near;
}

void align_exchanges(struct connection *near, struct connection *far)
{
    struct exchanges *a = &near->http, *b = &far->http;
    size_t i = 0, j = 0;
    /* A recording that began late lacks as many as there were before it: look as far as needed. */
    size_t ahead = near->late || far->late ? a->count + b->count : AHEAD_MAX;

    while (i < a->count && j < b->count) {
        if (!same(a->items[i], b->items[j])) {
            size_t skip_a = distance(b->items[j], a, i, ahead);
            size_t skip_b = distance(a->items[i], b, j, ahead);

            if (skip_a < ahead && (skip_a <= skip_b || skip_b == ahead))
                i += skip_a;
            else if (skip_b < ahead)
                j += skip_b;
            ahead = AHEAD_MAX;
        }
        join(a->items[i++], b->items[j++]);
    }
}
