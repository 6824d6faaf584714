/*
 * Which packet each finding is to be written on.
 */
#ifndef CAPDIFF_ANNOTATE_NOTES_H
#define CAPDIFF_ANNOTATE_NOTES_H

#include "capturer/capdiff/findings.h"

/* A finding's text, for the packet of one recording that carries a certain byte. */
struct note {
    enum source source;
    uint64_t flow; /* a hash of sender and receiver; 0: whichever packet has the time below */
    uint32_t seq;  /* the byte's number */
    uint64_t from_ns, to_ns;
    size_t finding;
    bool written;
};

struct notes {
    const struct findings *findings;
    struct note *items; /* by source, flow and number */
    size_t count, room;
};

/* Of a finding that names an exchange, a note for each view next to its hop. */
void notes_init(
    struct notes *notes, const struct findings *findings, const struct evidence *evidence);
void notes_deinit(struct notes *notes);

/*
 * The notes for a packet, which are written then: indices of findings into FOUND, NOTES_FOUND_MAX
 * at most. SEGMENT is NULL for what is no TCP.
 */
#define NOTES_FOUND_MAX 32
size_t notes_take(struct notes *notes, enum source source, uint64_t time_ns,
    const struct segment *segment, size_t *found);

/* What a finding says, as a comment; appended to OUT. */
void note_text(const struct finding *finding, struct buf *out);

#endif
