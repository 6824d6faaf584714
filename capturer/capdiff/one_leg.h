/*
 * Two captures of one and the same leg: neither holds a proxy, so there is one hop, between them.
 */
#ifndef CAPDIFF_ONE_LEG_H
#define CAPDIFF_ONE_LEG_H

#include "capturer/capdiff/recording.h"

/*
 * To be asked after legs_find has found no proxy in FIRST. True if SECOND holds none either, and
 * the two have connections in common; then all that carried exchanges is matched, and has
 * LEG_UPSTREAM.
 */
bool one_leg_find(struct recording *first, struct recording *second);

#endif
