/*
 * What the rooms of declared hand to each other: declared (which differences are declared),
 * declared_content (changes of bodies), declared_fields (changes of heads), declared_target.
 */
#ifndef CAPDIFF_DECLARED_STATE_H
#define CAPDIFF_DECLARED_STATE_H

#include "capturer/capdiff/declared.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/message_view.h"

struct declared_change {
    bool followed;        /* it was held against the wire */
    bool failed;          /* … which does not bear it out */
    char *before, *after; /* what the wire has there, escaped; NULL: nothing */
};

/* A message with all of its content, where that can be had. */
struct declared_message {
    const struct message *message;
    struct message_view view;
    struct buf again; /* holds the content where it had to be read once more */
    bool known;
    struct slice content;
};

/* The I-th change is of this side, and was not only tried. */
bool declared_is_of(const struct declared *declared, size_t i, bool response);

/* It is one of the content. */
bool declared_is_content(const struct log_change *change);

void declared_follow_content(struct declared *declared, bool response,
    const struct declared_message *before, const struct declared_message *after);
void declared_follow_fields(struct declared *declared, bool response,
    const struct declared_message *before, const struct declared_message *after);

void declared_follow_target(struct declared *declared, const struct declared_message *before,
    const struct declared_message *after);
/* The request lines differ in their targets alone, as declared. */
bool declared_covers_target(
    const struct declared *declared, struct slice before, struct slice after);

/* One pointer names the other's value, or something in it. */
bool declared_overlap(struct slice a, struct slice b);

#endif
