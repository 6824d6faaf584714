#include "capturer/capdiff/lane.h"

enum lane lane_of(const struct segment *segment, int sender)
{
    switch (segment->way) {
    case WAY_OUT:
        return sender == 0 ? LANE_END_0 : LANE_END_1;
    case WAY_IN:
        return sender == 0 ? LANE_END_1 : LANE_END_0;
    default:
        return LANE_UNKNOWN;
    }
}

/*
 * A segment of another lane that was only recorded once more. Not even near numbers tell that: two
 * namespaces of one kernel begin at nearly the same ones between the same ends.
 */
static bool is_again(const struct connection *connection, const struct segment *segment, int sender)
{
    const struct tcp_stream *stream = &connection->streams[sender];
    const struct tcp_stream *peer = &connection->streams[!sender];

    if ((segment->flags & SEGMENT_SYN) != 0 && connection->has_isn[sender])
        return connection->isn[sender] == segment->seq;
    if ((segment->flags & SEGMENT_ACK) == 0)
        return false;
    if ((segment->flags & SEGMENT_SYN) != 0) /* where both ends are on the recording host */
        return connection->has_isn[!sender] && connection->isn[!sender] + 1 == segment->ack;
    return stream->started && peer->acked != 0 &&
           (uint32_t)stream->next == segment->seq + (uint32_t)segment->wire_len &&
           (uint32_t)peer->acked == segment->ack;
}

static int sender_on(const struct connection *connection, const struct segment *segment)
{
    return !endpoint_equal(&connection->ends[0], &segment->from);
}

/* It is the connection's lane, or may be. */
static bool fits(struct connection *connection, const struct segment *segment)
{
    enum lane lane = lane_of(segment, sender_on(connection, segment));

    if (connection->superseded)
        return false;
    if (connection->lane == LANE_UNKNOWN)
        connection->lane = (uint8_t)lane;
    return connection->lane == lane || connection->lane == LANE_BOTH;
}

struct connection *lane_find(struct connection *newest, const struct segment *segment)
{
    struct connection *connection = newest;

    if (segment->way == WAY_UNKNOWN)
        return newest;
    while (connection != NULL && !fits(connection, segment))
        connection = connection->older;
    if (connection != NULL)
        return connection;
    for (connection = newest; connection != NULL; connection = connection->older) {
        if (connection->superseded ||
            !is_again(connection, segment, sender_on(connection, segment)))
            continue;
        connection->lane = LANE_BOTH;
        return connection;
    }
    return NULL;
}

bool lane_is_open(const struct connection *connection)
{
    return connection->lane == LANE_UNKNOWN && !connection_has_ended(connection);
}

bool lane_goes_on(const struct connection *older, const struct segment *segment)
{
    int sender = older != NULL ? sender_on(older, segment) : 0;

    return older != NULL && segment->flags != 0 &&
           (segment->flags & (SEGMENT_SYN | SEGMENT_RST)) == 0 && older->streams[sender].started &&
           older->streams[!sender].started &&
           (uint32_t)older->streams[sender].next == segment->seq &&
           (uint32_t)older->streams[!sender].next == segment->ack;
}

enum opener lane_opener(const struct connection *connection)
{
    switch (connection->lane) {
    case LANE_END_0:
    case LANE_END_1:
        return (connection->lane == LANE_END_0) == (connection->client == 0) ? OPENER_HOST
                                                                             : OPENER_OTHER;
    default:
        return OPENER_UNKNOWN;
    }
}
