/*
 * Bytes from anywhere as HTML text: markup is escaped, and what would not be seen for what it is
 * (controls, marks that turn text around, bytes that are no UTF-8) stands as \xHH in an element of
 * its own, so that it cannot be mistaken for those four characters.
 */
#ifndef CAPDIFF_HTML_TEXT_H
#define CAPDIFF_HTML_TEXT_H

#include <stdio.h>

#include "lib/slice.h"

/* Safe as the content of any element but script and style. */
void html_bytes(FILE *file, struct slice bytes);

/* The same for a terminated string. */
void html_text(FILE *file, const char *text);

/* For XML 1.0, there without an element around it: also in an attribute between double quotes. */
void xml_bytes(FILE *file, struct slice bytes);

#endif
