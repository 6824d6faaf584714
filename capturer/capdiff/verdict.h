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

/*
 * Judges one exchange that every view has whole, and adds what comes of it to TALLY. What is known
 * of the captures so far must do: nothing can be missing of it.
 */
void verdict_count(const struct evidence *evidence, const struct option_list *ignore,
    const struct crossing *crossing, struct tally *tally);

/* IGNORE: JSON pointers and field names whose differences do not matter. */
void verdict_find(
    struct findings *findings, const struct evidence *evidence, const struct option_list *ignore);

#endif
