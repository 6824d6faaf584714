/*
 * The id by which an agent knows its call again.
 */
#ifndef CAPDIFF_CALL_ID_H
#define CAPDIFF_CALL_ID_H

#include "capturer/capdiff/exchanges.h"

#define CALL_ID_MAX 128                      /* bytes: a longer one counts as none */
#define CALL_ID_BODY_MAX ((size_t)64 * 1024) /* bytes of a body that is looked at */

/*
 * The member "id" of the request's JSON object: a string, decoded, or a number's text. NULL where
 * there is none. It is looked for when it is first asked for, and goes with the exchange.
 */
const char *exchange_call_id(const struct exchange *exchange);

#endif
