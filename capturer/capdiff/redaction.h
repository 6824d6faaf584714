/*
 * What reports do not show of the messages: each byte of a hidden value is a star there. The
 * comparison itself has all bytes, and a capture is evidence and stays as it is.
 *
 * What is hidden is said once, before anything is read, and is then the same for all threads.
 */
#ifndef CAPDIFF_REDACTION_H
#define CAPDIFF_REDACTION_H

#include "capturer/capdiff/compare.h"
#include "capturer/capdiff/evidence.h"
#include "lib/redact.h"

/* REDACT outlives all reports. Without it nothing is hidden. */
void redaction_begin(const struct redact *redact);

/* What a text is, or is a part of. */
enum redaction_part {
    REDACTION_HEAD,    /* field lines */
    REDACTION_CONTENT, /* JSON, perhaps */
    REDACTION_BYTES,   /* either, and framing: a line may be a field, and a word a value */
};

/* As excerpt_around of TEXT. */
char *redaction_excerpt(struct slice text, size_t at, enum redaction_part part);

bool redaction_hides_field(struct slice name);
bool redaction_hides_value(struct slice pointer);

/* "[redacted 32 bytes]" in the place of TEXT; NULL for absent text. The caller frees. */
char *redaction_words(struct slice text);

/* All is judged: from now on the messages are what reports may show of them. */
void redaction_mask(struct evidence *evidence);

#endif
