/*
 * Exchanges ↔ exchanges, for a proxy that does not keep one upstream connection to one client
 * connection: it pools them, or sends the calls of many clients over a few.
 *
 * That it does so is seen: calls that nothing else is like go from one connection to several, or
 * from several to one; or, where all calls are alike, some are left over on both legs when the
 * connections have been paired one to one. Then every exchange is paired by itself, within the time
 * that its client waited: by its call id, where that stands once on either leg; by equal bodies, or
 * request lines where there is no body, the k-th to the k-th; and what is left by likeness. What is
 * left after that was answered by the proxy, invented by it, or sent twice.
 */
#ifndef CAPDIFF_POOL_H
#define CAPDIFF_POOL_H

#include "capturer/capdiff/connection.h"

/*
 * For a recording of both legs whose connections were paired one to one, and the exchanges of those
 * aligned. Where they fit, which costs one look at each, nothing happens. Else, if a pool is seen,
 * those pairs come apart, unless the log made them: sets before, after, how and sure of the
 * exchanges and pooled of the connections. False: nothing was changed.
 */
bool pool_pair(const struct connections *table);

/*
 * Asked after the client had asked, and answered before the client was, as far as both were
 * recorded; give or take a little, since stamps of one recording may be out of order.
 */
bool pool_is_timely(const struct exchange *client, const struct exchange *upstream);

/* Whether a pool is seen in what was read so far. */
bool pool_is_seen(const struct connections *table);

/* The exchanges of a pool, once more from the beginning, with what has come since. */
void pool_pair_again(const struct connections *table);

/*
 * Marks as repeated those requests of TABLE's upstream leg that have no counterpart towards the
 * client, and are the same as one that has.
 */
void pool_mark_repeated(const struct connections *table);

#endif
