/*
 * The id by which an agent knows its call again.
 */
#ifndef CAPDIFF_CALL_ID_H
#define CAPDIFF_CALL_ID_H

#include "lib/slice.h"

#define CALL_ID_MAX 128 /* bytes: a longer one counts as none */

/*
 * The member "id" of a JSON object: a string, decoded, or a number's text. NULL where there is
 * none; the caller frees.
 */
char *call_id_find(struct slice body);

#endif
