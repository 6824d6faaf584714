/*
 * UTF-8 (RFC 3629) in bytes that may be anything, and how they are shown to people.
 */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include "lib/slice.h"

#define UTF8_SHOWN_MAX 16 /* bytes that utf8_show writes at most: four of them, each as \xHH */

/* Length of the character that TEXT begins with; 0 where it begins with none. */
size_t utf8_length(struct slice text);

/* True when the character would do something to a terminal: a control (C0, DEL, C1), or a mark that
 * shows text in another order than it has, or nothing at all. */
bool utf8_is_unsafe(struct slice character);

/*
 * The character, or the byte that is none, that TEXT (not empty) begins with, as it may be shown:
 * as it is; or as \n, \r, \t, \\; or each of its bytes as \xHH. *TAKEN is how many bytes of TEXT it
 * was. Returns how many bytes of OUT were written, which has no terminator.
 */
size_t utf8_show(struct slice text, char out[UTF8_SHOWN_MAX], size_t *taken);

#endif
