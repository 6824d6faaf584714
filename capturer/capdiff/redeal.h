/*
 * Which response answers which request on a connection where the exchange log says that some were
 * left out, or sent twice: the k-th is no longer the k-th.
 */
#ifndef CAPDIFF_REDEAL_H
#define CAPDIFF_REDEAL_H

#include "capturer/capdiff/connection.h"

/* A record says of an exchange of the connection that its responses are not one. */
bool redeal_is_uneven(const struct log_record *record);

/*
 * Deals the responses of each uneven connection of the client leg out again, as far as their number
 * bears out what the log says. The exchanges have their records. What was sent twice is marked as
 * such, and an exchange that had nothing but a second copy is left empty.
 */
void redeal_responses(const struct connections *table);

#endif
