/*
 * What the readers of the exchange log take from JSON objects: members by their decoded names.
 */
#ifndef CAPDIFF_LOG_VALUES_H
#define CAPDIFF_LOG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json_text.h"
#include "lib/slice.h"

#define LOG_NAME(text)                                                                             \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }

/*
 * The values of the COUNT names in an object, if it is one; -1 for those that are not there. Where
 * a name stands twice, the last one counts. Returns how many members are over: they have another
 * name, or one that stands twice.
 */
size_t log_find_members(
    const struct json_text *json, int object, const struct slice *names, size_t count, int *values);

/* A string, decoded, for the caller to free; NULL: it is none. What is behind a NUL is lost. */
char *log_take_text(const struct json_text *json, int value);

/* The same, and *TAKEN is what it says, NULs and all; absent: it is no string. */
char *log_take_slice(const struct json_text *json, int value, struct slice *taken);

/* A number up to 2^53 in any spelling, its fraction cut off; 0 for anything else. */
uint64_t log_take_number(const struct json_text *json, int value);

/* Nothing but up to 15 decimal digits. False: it is something else, and *NUMBER is 0. */
bool log_take_count(const struct json_text *json, int value, uint64_t *number);

#endif
