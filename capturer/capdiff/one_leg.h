/*
 * Two captures of one and the same leg: neither holds a proxy, so there is one hop, between them.
 */
#ifndef CAPDIFF_ONE_LEG_H
#define CAPDIFF_ONE_LEG_H

#include "capturer/capdiff/recording.h"

/* One file was given twice: whatever it holds, it is compared with itself. */
bool one_leg_is_given(const struct recording *first, const struct recording *second);

/*
 * To be asked after legs_find has found no proxy in FIRST. True if SECOND holds none either, or
 * is the same file, and the two have connections in common; then all that carried exchanges is
 * matched, and has LEG_UPSTREAM.
 */
bool one_leg_find(struct recording *first, struct recording *second);

#endif
