/*
 * What of a request a proxy leaves alone, as keys to find it again by.
 */
#ifndef CAPDIFF_POOL_KEY_H
#define CAPDIFF_POOL_KEY_H

#include <stdint.h>

#include "capturer/capdiff/exchanges.h"

/* Of the call id; 0: it has none. */
uint64_t pool_key_id(const struct exchange *exchange);

/* Of the call id and the content, or of the method and the target where there is no content. */
uint64_t pool_key_call(const struct exchange *exchange);

/* The method and the target of the request line, which a change of version leaves alone. */
struct slice pool_method_and_target(const struct exchange *exchange);

/* How alike two exchanges are, the responses included; 0: not at all. */
unsigned pool_likeness(const struct exchange *a, const struct exchange *b);

/* Both have a response, with the same content. */
bool pool_same_answer(const struct exchange *a, const struct exchange *b);

#endif
