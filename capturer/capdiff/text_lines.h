/*
 * Two texts side by side: cut into lines, and which line stands next to which.
 *
 * Every byte of the text is in exactly one line, in order. A text that is JSON may also be cut
 * where its structure would be laid out, so that what was sent on one line can be read without a
 * byte of it being changed.
 */
#ifndef CAPDIFF_TEXT_LINES_H
#define CAPDIFF_TEXT_LINES_H

#include <stdbool.h>

#include "lib/slice.h"

#define TEXT_LINE_MAX 4096 /* bytes; a longer line is cut */
#define TEXT_INDENT_MAX 12 /* steps */

struct text_line {
    struct slice text;
    unsigned indent; /* steps, by the structure */
    size_t match;    /* the line next to it on the other side, counted from 1; 0: none */
};

struct text_lines {
    struct text_line *items;
    size_t count, room;
};

/* Appends the lines of TEXT, which must outlive them. STRUCTURED: cut at JSON's structure too. */
void text_lines_add(struct text_lines *lines, struct slice text, bool structured);
void text_lines_deinit(struct text_lines *lines);

/* True for what begins like a JSON object or array, or like a chunk that does. */
bool text_lines_is_structured(struct slice text);

/* Sets `match` on both sides: equal lines first, then what stands between the same neighbours. */
void text_lines_align(struct text_lines *a, struct text_lines *b);

/*
 * How many bytes two lines have in common where they begin (*HEAD) and where they end (*TAIL);
 * neither splits a UTF-8 character, and together they are no longer than the shorter line.
 */
void text_lines_common(struct slice a, struct slice b, size_t *head, size_t *tail);

#endif
