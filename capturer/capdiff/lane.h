/*
 * Connections between the same ends at the same time: a proxy that takes its client's address
 * towards the server (TPROXY) has two of them, and one capture may hold both.
 *
 * They are told apart by the end that is on the recording host, as the packets' way shows. What was
 * only recorded twice, on its way into a router or a bridge and out again, has the same numbers:
 * its connection stays one.
 */
#ifndef CAPDIFF_LANE_H
#define CAPDIFF_LANE_H

#include "capturer/capdiff/connection.h"

enum lane {
    LANE_UNKNOWN,
    LANE_END_0, /* that end is on the recording host */
    LANE_END_1,
    LANE_BOTH, /* the host only passed it on, or has both ends */
};

/* Who opened a connection, from where it was recorded. */
enum opener {
    OPENER_UNKNOWN,
    OPENER_OTHER, /* somebody else called the recording host, or what it stands in for */
    OPENER_HOST,  /* the recording host called */
};

/* The lane of a segment that end SENDER sent. */
enum lane lane_of(const struct segment *segment, int sender);

/* Of NEWEST and those before it between the same ends, the one a segment is of; NULL: none. */
struct connection *lane_find(struct connection *newest, const struct segment *segment);

/* Segments of it may still come, which nothing would tell from those of another one. */
bool lane_is_open(const struct connection *connection);

/* A segment continues OLDER, which may be NULL, exactly where that one was left. */
bool lane_goes_on(const struct connection *older, const struct segment *segment);

enum opener lane_opener(const struct connection *connection);

#endif
