/*
 * Client connection ↔ upstream connection: one to one, inside the proxy's recording.
 *
 * The exchange log's word is taken where the bytes bear it out. Without it, what was sent decides:
 * equal request bytes first, then equal call ids, then equal request lines; and always time: an
 * upstream connection begins after the first request of its client connection and before its end.
 * Where everything is the same, first come is first served, which is likely and not sure; a call id
 * that stands twice is no better. A proxy that pools connections is pool.h's concern.
 */
#ifndef CAPDIFF_PAIR_H
#define CAPDIFF_PAIR_H

#include "capturer/capdiff/connection.h"
#include "capturer/capdiff/log_read.h"

/* Sets towards_server, towards_client, how and sure for the legs of TABLE. LOG may be NULL. */
void pair_legs(const struct connections *table, const struct exchange_log *log);

/* The same for some of them while more is to come: without what is most like it only. */
void pair_legs_sure(const struct connection_list *clients, const struct connection_list *upstreams);

/* And by those records of the log that no exchange has been found for; the services are known. */
void pair_by_log_sure(const struct connections *table, const struct exchange_log *log,
    const struct endpoint *proxy, const struct endpoint *server);

/*
 * For the upstream leg of NEAR that has no counterpart in FAR yet, as behind address translation:
 * pairs by what was sent, as above, without the log.
 */
void pair_by_content(const struct connections *near, const struct connections *far);

#endif
