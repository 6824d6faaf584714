/*
 * The parts of a request's target (RFC 9112 §3.2), as spans of it. No part is decoded.
 */
#ifndef LIB_HTTP_TARGET_H
#define LIB_HTTP_TARGET_H

#include "lib/slice.h"

/* The scheme of the absolute form; absent (data NULL) for all other forms. */
struct slice http_target_scheme(struct slice target);

/* HOST[:PORT] of the absolute form, which may be empty; absent for all other forms. */
struct slice http_target_authority(struct slice target);

/* The path without the query: "/" where the absolute form has none, or all of another form. */
struct slice http_target_path(struct slice target);

/*
 * Is this uri-host [ ":" port ], as a Host field has it (RFC 9110 §7.2, RFC 3986 §3.2.2)? The host
 * may be empty, and what stands in brackets is an address; no zone.
 */
bool http_is_host(struct slice host);

#endif
