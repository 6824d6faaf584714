/*
 * Two messages that should be the same bytes → the places where they are not.
 *
 * Three layers, each only where the one before says "different": bytes; HTTP (start line, fields
 * with their order and case, framing, trailers); JSON (by pointer). The messages were cut out of
 * the streams by lib/http_parser, and it is asked again for the content of a chunked body.
 */
#ifndef CAPDIFF_COMPARE_H
#define CAPDIFF_COMPARE_H

#include "capturer/capdiff/message.h"

#define COMPARE_PATCH_MAX ((size_t)16 * 1024 * 1024) /* bytes of one message's operations */
#define COMPARE_PLACES_MAX 32 /* real differences told of two messages; the rest is counted */

enum place_kind {
    PLACE_START_LINE,
    PLACE_FIELD,
    PLACE_FIELD_ORDER, /* a field that moved among the others */
    PLACE_TRAILER,     /* a field behind a chunked body */
    PLACE_FRAMING, /* length, chunks or connection's end; chunk borders: the content is the same */
    PLACE_BODY,    /* content that is no JSON, or outside the JSON values */
    PLACE_JSON,
    PLACE_BYTES,  /* of a message that is no HTTP, of a tunnel, or of one that was cut */
    PLACE_BEYOND, /* behind what was kept: the digests differ */
};
#define PLACE_KINDS 9

/* What happened at a place, where it can be said in a word. */
enum place_change {
    CHANGE_NONE, /* other bytes, and no word for it */
    CHANGE_VALUE,
    CHANGE_ADDED,
    CHANGE_REMOVED,
    CHANGE_REPEATED,  /* added, where a field of that name was already */
    CHANGE_MOVED,     /* a field, to another place among the others */
    CHANGE_NAME_CASE, /* the case of a field's name */
    CHANGE_SPACES,    /* white space around a field's value, or between JSON values */
    CHANGE_ORDER,     /* of the members of a JSON object */
};
#define PLACE_CHANGES 9

/* What is said about a difference before it counts. */
enum place_standing {
    STANDING_REAL,
    STANDING_DECLARED, /* the exchange log says that a rule did it */
    STANDING_IGNORED,  /* an option says that it does not matter */
};

struct place {
    enum place_kind kind;
    enum place_standing standing;
    bool follows; /* from changes of the content, if there are any */
    char *text;   /* "request body, byte 57" */
    char *name;   /* a field's name, or a JSON pointer; or NULL */
    enum place_change change;
    /* PLACE_JSON: RFC 6902 operations, a JSON array; NULL: none can be told. Those of the places
     * that are not told in detail stand with the next one that is, or behind the last one: all of
     * them, in the order of the places, make the one content of the other. */
    char *patch;
    bool patch_cut;       /* operations are missing there */
    const char *note;     /* a sentence that a reader should know; or NULL */
    uint64_t offset;      /* of the first byte that differs: in the content, or in the message */
    char *before, *after; /* excerpts, escaped; NULL: absent on that side */
};

struct places {
    struct place *items; /* what is not told may have a kind and a standing only */
    size_t count, room;
    size_t told;   /* of them, that count */
    uint64_t more; /* that count, and are not among the items */
};

/*
 * Says how a difference stands. NAME is the field's name or the JSON pointer; the texts are the
 * field's values or the JSON values, absent where there is none.
 */
typedef enum place_standing (*compare_judge_cb)(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after);

struct compare_terms {
    compare_judge_cb judge; /* NULL: all is real */
    void *arg;
    size_t patch_max; /* bytes of operations, COMPARE_PATCH_MAX at most; less: what is cut there is
                       * left out, so that it takes no room from others */
    bool counting;    /* nothing is told: only how many places there are, and how they stand */
};

/*
 * Compares a message as it was sent with what became of it. A Content-Length, or chunk sizes, that
 * follow from body changes which are all declared or ignored stand as those do.
 */
void compare_messages(const struct message *before, const struct message *after, bool response,
    const struct compare_terms *terms, struct places *places);
void places_deinit(struct places *places);
void place_deinit(struct place *place);

/* "value", "added", …; NULL for CHANGE_NONE. */
const char *place_change_word(enum place_change change);

#endif
