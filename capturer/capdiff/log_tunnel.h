/*
 * What the exchange log tells of a tunnel, behind a 101 or all of a connection that is not HTTP,
 * against the wire.
 */
#ifndef CAPDIFF_LOG_TUNNEL_H
#define CAPDIFF_LOG_TUNNEL_H

#include "capturer/capdiff/exchanges.h"
#include "capturer/capdiff/log_record.h"

/*
 * False: the record says that the proxy passed on another number of bytes, to the upstream or to
 * the client, than the exchange has on that leg; *WIRE is how many. True also where nothing can be
 * told.
 */
bool log_tunnel_holds(const struct log_record *record, const struct exchange *exchange,
    bool response, uint64_t *wire);

#endif
