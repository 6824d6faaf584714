/*
 * Base64 with padding (RFC 4648 §4).
 */
#ifndef CAPDIFF_BASE64_H
#define CAPDIFF_BASE64_H

#include "lib/buf.h"
#include "lib/slice.h"

/* Appends DATA to OUT. 0 or an error of buf.h; on error nothing is added. */
int base64_append(struct slice data, struct buf *out) __attribute__((warn_unused_result));

#endif
