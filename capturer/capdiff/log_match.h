/*
 * Which exchange of the client leg each record of the exchange log speaks of.
 */
#ifndef CAPDIFF_LOG_MATCH_H
#define CAPDIFF_LOG_MATCH_H

#include "capturer/capdiff/connection.h"
#include "capturer/capdiff/log_read.h"

/*
 * Sets `record` of the exchanges and `seen` of the records. The record's client address leads to
 * the connection, and there the records follow in order; a record without one, or from behind
 * address translation, is found by its call id and the digest of its request's body.
 */
void log_match(struct exchange_log *log, const struct connections *table);

/* The same while more is to come: only what is surely the same by its client and its request.
 * PROXY is the service that the clients speak to. */
void log_match_sure(
    struct exchange_log *log, const struct connections *table, const struct endpoint *proxy);

/* The exchange's request line is the one that the record tells of; true where it tells of none. */
bool log_match_line(const struct log_record *record, const struct exchange *exchange);

#endif
