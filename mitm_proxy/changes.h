/*
 * What was done to an exchange on purpose, as the exchange log's `changes` has it: JSON objects,
 * one for each thing done, separated by commas.
 */
#ifndef MITM_PROXY_CHANGES_H
#define MITM_PROXY_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/redact.h"
#include "lib/sha256.h"
#include "lib/slice.h"

struct change {
    struct buf *out;
    struct slice by; /* as change_by has it; absent: an option did it, to the request */
    bool concealed;  /* nothing is noted */
};

/*
 * Appends who does it and to what, as it begins each note: the same for all that an action does, so
 * it is made once. 0 or an error of buf.h.
 */
int change_by(struct buf *out, bool response, struct slice rule, const char *action)
    __attribute__((warn_unused_result));

struct change_body {
    uint64_t bytes;
    char sha256[SHA256_HEX_SIZE];
};

/*
 * From now on values that REDACT hides are told by their length only: {"redacted":32}. It outlives
 * all changes; without it, nothing is hidden.
 */
void changes_redact(const struct redact *redact);

/*
 * Each adds one object, or nothing where it does not fit: half a note would break the record. True
 * when it stands there, or is not to stand there.
 */

/* POINTER, and raw JSON text; absent: there was or is nothing. */
bool change_note_json(
    const struct change *change, struct slice pointer, struct slice old, struct slice new_text);
bool change_note_field(
    const struct change *change, struct slice name, struct slice old, struct slice new_value);
bool change_note_target(const struct change *change, struct slice old, struct slice new_target);
bool change_note_body(
    const struct change *change, const struct change_body *old, const struct change_body *now);
bool change_note_framing(const struct change *change, const char *old, const char *now);
/* OLD 0: there was none. */
bool change_note_status(const struct change *change, int old, int now);
/* COUNT parameters by name. */
bool change_note_numbers(const struct change *change, const char *const *names,
    const uint64_t *numbers, unsigned int count);
bool change_note_text(const struct change *change, const char *name, struct slice text);
/* It could not be done. WORD is a fixed one, REASON a sentence. */
bool change_note_failed(const struct change *change, const char *word, const char *reason);

#endif
