/*
 * The connections of a recording by both ends and the client's initial sequence number: what tells
 * a connection from all others between the same ports, in every recording of it.
 */
#ifndef CAPDIFF_ISN_INDEX_H
#define CAPDIFF_ISN_INDEX_H

#include "capturer/capdiff/connection.h"

struct isn_entry;

struct isn_index {
    struct isn_entry *items;
    struct isn_entry **buckets;
    size_t n_buckets;
};

void isn_index_init(struct isn_index *index, const struct connections *table);
void isn_index_deinit(struct isn_index *index);

/* The earliest connection that is CONNECTION and was not taken before; NULL: none. */
struct connection *isn_index_take(struct isn_index *index, const struct connection *connection);

#endif
