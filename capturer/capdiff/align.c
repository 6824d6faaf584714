#include "capturer/capdiff/align.h"

#include <string.h>

#include "capturer/capdiff/call_id.h"
#include "capturer/capdiff/hash.h"

#define GREETING 43  /* bytes: a record's and a message's head, the version, 32 random ones */
#define AHEAD_MAX 64 /* exchanges looked at to get the count right again */

struct slice align_start_line(const struct exchange *exchange)
{
    const struct buf *raw = &exchange->request.raw;
    const char *eol = raw->len > 0 ? memchr(raw->data, '\r', raw->len) : NULL;

    return slice_of(raw->data, eol != NULL ? (size_t)(eol - raw->data) : raw->len);
}

struct slice align_title(const struct exchange *exchange)
{
    return exchange->tls ? slice_str("TLS") : align_start_line(exchange);
}

/*
 * The beginning of TLS: up to the client's random bytes (RFC 8446 §4.1.2), which are others in each
 * connection, and the same where it only passes.
 */
static struct slice greeting(const struct exchange *exchange)
{
    const struct buf *raw = &exchange->request.raw;

    return slice_of(raw->data, raw->len < GREETING ? raw->len : GREETING);
}

/* A request line without the authority in its target: what is before that, and behind it. */
struct asked {
    struct slice method, rest;
};

static struct asked asked_by(const struct exchange *exchange)
{
    static const struct slice schemes[] = {{"http://", 7}, {"https://", 8}};
    struct slice line = align_start_line(exchange);
    const char *end = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
    size_t method = end != NULL ? (size_t)(end - line.data) + 1 : 0;
    struct asked asked = {{line.data, method}, {line.data + method, line.len - method}};

    if (exchange->tls)
        return (struct asked){.rest = greeting(exchange)};

    for (size_t i = 0; i < 2; i++) {
        size_t at = schemes[i].len;

        if (asked.rest.len < at || memcmp(asked.rest.data, schemes[i].data, at) != 0)
            continue;
        while (at < asked.rest.len && asked.rest.data[at] != '/' && asked.rest.data[at] != ' ')
            at++;
        asked.rest = slice_of(asked.rest.data + at, asked.rest.len - at);
        break;
    }
    return asked;
}

bool align_same_line(const struct exchange *a, const struct exchange *b)
{
    struct asked one = asked_by(a), other = asked_by(b);

    return slice_equal(one.method, other.method) && slice_equal(one.rest, other.rest);
}

uint64_t align_line_hash(const struct exchange *exchange)
{
    struct asked asked = asked_by(exchange);

    if (asked.rest.len == 0)
        return 0;
    return hash_bytes(hash_bytes(HASH_START, asked.method.data, asked.method.len), asked.rest.data,
        asked.rest.len);
}

bool align_same_call(const struct exchange *a, const struct exchange *b)
{
    const char *of_a, *of_b;

    if (a->request.len > 0 && message_equal(&a->request, &b->request))
        return true;
    of_a = exchange_call_id(a);
    of_b = of_a != NULL ? exchange_call_id(b) : NULL;
    return of_b != NULL && strcmp(of_a, of_b) == 0;
}

/* Both begin at the same byte of their streams, as far as the beginning of these was recorded. */
static bool begin_together(const struct message *a, const struct message *b, bool response)
{
    const struct connection *x = a->connection, *y = b->connection;
    int side_x = x->client ^ (int)response, side_y = y->client ^ (int)response;
    bool counted = x->has_isn[side_x] && y->has_isn[side_y];
    uint32_t from_x = counted ? x->isn[side_x] : 0, from_y = counted ? y->isn[side_y] : 0;

    return a->len > 0 && b->len > 0 && a->seq - from_x == b->seq - from_y;
}

/* Both connections are one, as two recordings have it, so bytes have the same places. */
static bool is_same_wire(const struct connection *near)
{
    return near->how == PAIR_ISN || near->how == PAIR_ENDPOINTS;
}

/* Where a response alone was recorded, it is the one that answers with the same bytes. */
static bool same_response(const struct exchange *a, const struct exchange *b)
{
    return (a->request.state == MESSAGE_NONE || b->request.state == MESSAGE_NONE) &&
           a->response.len > 0 && message_equal(&a->response, &b->response) &&
           (!is_same_wire(a->connection) || begin_together(&a->response, &b->response, true));
}

/* The request begins at the same byte of its stream: exact, unless a proxy changed lengths. */
static bool same_place(const struct exchange *a, const struct exchange *b)
{
    return a->request.len > 0 && b->request.len > 0 &&
           begin_together(&a->request, &b->request, false);
}

/* Two connections, and how they are to be held against each other. */
struct alignment {
    const struct exchanges *a, *b;
    bool sure;     /* all of both was recorded */
    bool complete; /* no more of them will be read */
};

/* A neighbour has the same call id, so it tells nothing; or may have, where it is yet to come. */
static bool id_is_repeated(
    const struct alignment *alignment, const struct exchanges *http, size_t at)
{
    const char *id = exchange_call_id(http->items[at]);
    const char *last = at > 0 ? exchange_call_id(http->items[at - 1]) : NULL;
    const char *next = at + 1 < http->count ? exchange_call_id(http->items[at + 1]) : NULL;

    if (at + 1 == http->count && !alignment->complete && !connection_is_over(http->connection))
        return true;
    return (last != NULL && strcmp(last, id) == 0) || (next != NULL && strcmp(next, id) == 0);
}

/* The call before it, or after it, is the same, or may be, where it is yet to come. */
static bool has_like_neighbour(
    const struct alignment *alignment, const struct exchanges *http, size_t at)
{
    if (at + 1 == http->count && !alignment->complete && !connection_is_over(http->connection))
        return true;
    return (at > 0 && align_same_call(http->items[at], http->items[at - 1])) ||
           (at + 1 < http->count && align_same_call(http->items[at], http->items[at + 1]));
}

/* Nothing but their places tells them from their neighbours. */
static bool place_decides(const struct alignment *alignment, size_t i, size_t j)
{
    return !alignment->sure || (is_same_wire(alignment->a->items[i]->connection) &&
                                   (has_like_neighbour(alignment, alignment->a, i) ||
                                       has_like_neighbour(alignment, alignment->b, j)));
}

static bool same(const struct alignment *alignment, size_t i, size_t j)
{
    const struct exchange *x = alignment->a->items[i], *y = alignment->b->items[j];

    /* Nearly always, so nothing else is looked at. */
    if (alignment->sure && x->request.len > 0 && message_equal(&x->request, &y->request))
        return true;
    if (same_place(x, y) && place_decides(alignment, i, j))
        return true;
    if (alignment->sure)
        return align_same_call(x, y);
    if (is_same_wire(x->connection) && x->request.len > 0 && y->request.len > 0)
        return false; /* whatever else is alike */
    if (exchange_call_id(x) != NULL && exchange_call_id(y) != NULL)
        return align_same_call(x, y) && !id_is_repeated(alignment, alignment->a, i) &&
               !id_is_repeated(alignment, alignment->b, j);
    return same_response(x, y);
}

/* How many exchanges from I or J on come before the one that is the other; MAX: none within MAX. */
static size_t skip_in_a(const struct alignment *alignment, size_t i, size_t j, size_t max)
{
    size_t n = 0;

    while (n < max && i + n < alignment->a->count && !same(alignment, i + n, j))
        n++;
    return i + n < alignment->a->count ? n : max;
}

static size_t skip_in_b(const struct alignment *alignment, size_t i, size_t j, size_t max)
{
    size_t n = 0;

    while (n < max && j + n < alignment->b->count && !same(alignment, i, j + n))
        n++;
    return j + n < alignment->b->count ? n : max;
}

/* How many of the next pairs from I and J on are the same. */
static size_t pairs_from(const struct alignment *alignment, size_t i, size_t j)
{
    size_t count = 0;

    for (size_t n = 0; n < AHEAD_MAX && i + n < alignment->a->count && j + n < alignment->b->count;
         n++)
        count += same(alignment, i + n, j + n);
    return count;
}

/* Where all was recorded, calls that are other calls now stay in their places. */
static bool is_straight(
    const struct alignment *alignment, size_t i, size_t j, size_t to_i, size_t to_j)
{
    return alignment->sure && pairs_from(alignment, i, j) >= pairs_from(alignment, to_i, to_j);
}

/* What was found out before there was more to go by. */
static void part(const struct exchanges *near, const struct exchanges *far)
{
    for (size_t i = near->decided; i < near->count; i++)
        exchange_part_after(near->items[i]);
    for (size_t i = far->decided; i < far->count; i++)
        exchange_part_before(far->items[i]);
}

/* TLS, and what is said within it, cannot be held against each other. */
static bool may_be_joined(const struct exchange *near, const struct exchange *far)
{
    return near->tls == far->tls && exchange_is_certain(near) && exchange_is_certain(far);
}

void align_exchanges(struct connection *near, struct connection *far, bool complete)
{
    struct exchanges *a = &near->http, *b = &far->http;
    bool sure = connection_is_sure(near) && connection_is_sure(far);
    struct alignment alignment = {a, b, sure, complete};
    size_t i = a->decided, j = b->decided;
    /* A recording that began late lacks as many as there were before it: look as far as needed. */
    size_t ahead = near->late || far->late ? a->count + b->count : AHEAD_MAX;

    part(a, b);
    while (i < a->count && j < b->count) {
        if (a->items[i]->connected && !b->items[j]->connect_request) {
            i++; /* what is behind it went on, and not itself */
            continue;
        }
        if (!same(&alignment, i, j)) {
            size_t skip_a = skip_in_a(&alignment, i, j, ahead);
            size_t skip_b = skip_in_b(&alignment, i, j, ahead);

            bool in_a = skip_a < ahead && (skip_a <= skip_b || skip_b == ahead);

            if (in_a && !is_straight(&alignment, i, j, i + skip_a, j))
                i += skip_a;
            else if (!in_a && skip_b < ahead && !is_straight(&alignment, i, j, i, j + skip_b))
                j += skip_b;
            ahead = AHEAD_MAX;
        }
        if (may_be_joined(a->items[i], b->items[j]) && (alignment.sure || same(&alignment, i, j)))
            exchange_join(a->items[i], b->items[j]);
        i++;
        j++;
    }
}
