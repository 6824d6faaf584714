/*
 * The requests that were settled last, by their hashes: for whether one that nobody asked for is
 * one that was asked before.
 */
#ifndef CAPDIFF_SETTLED_REQUESTS_H
#define CAPDIFF_SETTLED_REQUESTS_H

#include <stdbool.h>

#include "capturer/capdiff/exchanges.h"

struct settled_requests; /* of fixed size: a new one takes the place of an old one */

struct settled_requests *settled_requests_new(void);
void settled_requests_free(struct settled_requests *requests);

/* The exchange's request is whole. */
void settled_requests_add(struct settled_requests *requests, const struct exchange *exchange);

/* Whether it is the same, to the byte, as one of them. */
bool settled_requests_have(
    const struct settled_requests *requests, const struct exchange *exchange);

#endif
