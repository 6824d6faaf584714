/*
 * What makes captures of any size fit into memory: an exchange that came the same through every
 * view is counted while the captures are read, and forgotten, and so is a connection that is over
 * and has no others left.
 *
 * Small captures are read whole first; so is the beginning of big ones, until the legs are known
 * from it. What differs, or lacks a view, stays until the end.
 */
#ifndef CAPDIFF_SETTLE_H
#define CAPDIFF_SETTLE_H

#include "capturer/capdiff/evidence.h"

/* Bytes that are to be held before settling is worth while. */
size_t settle_hold(const struct capdiff_options *options);

/* Frees what is settling's own. */
void settle_end(struct evidence *evidence);

/* To be called between two slices of the captures. */
void settle_round(struct evidence *evidence, const struct capdiff_options *options);

/* The same for one capture, whose exchanges are only listed: as many as fit. */
void settle_listing(struct evidence *evidence);

/* Whether a request, of which a view has all, was among the last that were settled. */
bool settle_knows(const struct settled *settled, const struct exchange *exchange);

#endif
