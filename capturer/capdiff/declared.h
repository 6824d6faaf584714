/*
 * What the exchange log declares that a rule changed, against what the wire shows of it.
 *
 * A declaration stands for one difference with its own name and texts. One of a JSON value that the
 * wire bears out, because the pointer leads to the old text in what came in and to the new one in
 * what went out, stands for all differences beneath it, too.
 */
#ifndef CAPDIFF_DECLARED_H
#define CAPDIFF_DECLARED_H

#include "capturer/capdiff/findings.h"

struct declared_change;

struct declared {
    const struct log_record *record; /* NULL: nothing is declared */
    struct declared_change *changes; /* as many as the record has */
};

void declared_init(struct declared *declared, const struct log_record *record);
void declared_deinit(struct declared *declared);

/* Looks the declarations of one side up in the whole messages that came in and went out. */
void declared_look_up(struct declared *declared, bool response, const struct message *before,
    const struct message *after);

/* True if a difference is declared; the declaration is used up by it. As for compare_judge_cb. */
bool declared_covers(struct declared *declared, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after);

/* Adds a finding for each declaration that was looked up and that the wire does not bear out. */
void declared_say_rest(
    const struct declared *declared, struct findings *findings, const struct crossing *crossing);

#endif
