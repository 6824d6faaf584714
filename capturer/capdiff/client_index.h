/*
 * The connections of a leg by the client's address and port, as an exchange log writes them.
 */
#ifndef CAPDIFF_CLIENT_INDEX_H
#define CAPDIFF_CLIENT_INDEX_H

#include "capturer/capdiff/connection.h"

struct client_index {
    struct connection **items; /* by client, then by time */
    size_t count;
};

void client_index_init(struct client_index *index, const struct connections *table, enum leg leg);
void client_index_deinit(struct client_index *index);

#define CLIENT_INDEX_SLACK_NS 2000000000u /* that a log's clock and a recording's may be apart */

/*
 * The last connection from CLIENT that was alive at TS_NS; 0 stands for any time. NULL where there
 * is none: a log may well go on from an earlier run that had the same ports.
 */
struct connection *client_index_find(
    const struct client_index *index, const struct endpoint *client, uint64_t ts_ns);

/*
 * The same without an index, where the service that the client speaks to is known, and so are legs.
 */
struct connection *client_index_ask(const struct connections *table, enum leg leg,
    const struct endpoint *service, const struct endpoint *client, uint64_t ts_ns);

#endif
