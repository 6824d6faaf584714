/*
 * What a log or a report does not show: the values of Authorization, Proxy-Authorization, Cookie
 * and Set-Cookie, and of further fields and JSON Pointers (RFC 6901) that a person names.
 *
 * How long a hidden value is may be known, and nothing else: a digest of a weak secret could be
 * guessed.
 */
#ifndef LIB_REDACT_H
#define LIB_REDACT_H

#include <stdbool.h>

#include "lib/options.h"
#include "lib/slice.h"

struct redact {
    struct option_list more; /* names of fields, and pointers, which begin with '/' */
    bool off;                /* everything is shown */
};

/* What is wrong with an item of MORE, in words for people; NULL: nothing. */
const char *redact_fault(const char *item);

bool redact_hides_field(const struct redact *redact, struct slice name);

/* The value that POINTER names is hidden, or is in one that is, or has one in it. */
bool redact_hides_value(const struct redact *redact, struct slice pointer);

/* True when there is any pointer. */
bool redact_hides_values(const struct redact *redact);

/* Puts a star for each byte of hidden fields' values, in the lines of a head or a part of it. */
void redact_mask_head(const struct redact *redact, char *head, size_t len);

/*
 * The same for the values of JSON text that pointers name, members that stand twice included. Where
 * there are pointers, and TEXT is no whole JSON document, all of it may be one: so all is masked.
 */
void redact_mask_json(const struct redact *redact, char *text, size_t len);

#endif
