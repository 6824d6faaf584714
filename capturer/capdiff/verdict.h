/*
 * From evidence to findings: compares every exchange on every hop, and says what the captures
 * cannot show.
 *
 * "Same" needs everything: each exchange whole in every view, captures without gap, cut end or
 * late start. One real difference is "differ", whatever else is missing.
 */
#ifndef CAPDIFF_VERDICT_H
#define CAPDIFF_VERDICT_H

#include "capturer/capdiff/findings.h"

/* IGNORE: JSON pointers and field names whose differences do not matter. */
void verdict_find(
    struct findings *findings, const struct evidence *evidence, const struct option_list *ignore);

#endif
