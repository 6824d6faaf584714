/*
 * Which packet each finding is to be written on.
 */
#ifndef CAPDIFF_ANNOTATE_NOTES_H
#define CAPDIFF_ANNOTATE_NOTES_H

#include "capturer/capdiff/findings.h"

/* A finding's text, for the packet of one recording that carries a certain byte. */
struct note {
    enum source source;
    uint64_t flow; /* a hash of sender and receiver */
    uint32_t seq;  /* the byte's number */
    uint64_t from_ns, to_ns;
    const struct clash *clash; /* the packet has its later version of the byte; NULL: any packet */
    size_t finding;
    bool written;
};

struct notes {
    const struct findings *findings;
    struct note *items; /* by source, flow and number */
    size_t count, room;
};

/*
 * A note for each view next to the hop of a finding that names an exchange; and one for a finding
 * of the kind overlap, where its second version is.
 */
void notes_init(
    struct notes *notes, const struct findings *findings, const struct evidence *evidence);
void notes_deinit(struct notes *notes);

/*
 * The notes for the packet of a segment, which are written then: indices of findings into FOUND,
 * NOTES_FOUND_MAX at most.
 */
#define NOTES_FOUND_MAX 32
size_t notes_take(
    struct notes *notes, enum source source, const struct segment *segment, size_t *found);

/* What a finding says, as a comment; appended to OUT. */
void note_text(const struct finding *finding, struct buf *out);

#endif
