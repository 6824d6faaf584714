/*
 * What each view saw, as HTTP Archives (HAR 1.2), which browsers' tools and many others open.
 *
 * One file a view, in time order: client.har (the client's own capture, where there is one),
 * proxy-in.har (client leg), proxy-out.har (upstream leg) and server.har; or first.har and
 * second.har, where the captures are of one leg. Bodies are text where
 * they are UTF-8 and Base64 elsewhere, without chunk framing; of a long one only how it begins, as
 * a comment says. Beyond the format, each entry has `_exchange` (the report's number, or null) and
 * `_whole` (both messages were recorded to their ends); a request's body in Base64 has `_encoding`.
 */
#ifndef CAPDIFF_HAR_H
#define CAPDIFF_HAR_H

#include <stdio.h>

#include "capturer/capdiff/evidence.h"

/* The file's name for a view. */
const char *har_name(const struct evidence *evidence, enum view view);

/* Writes the view's archive to FILE, whose error flag tells whether all of it arrived. */
void har_write(const struct evidence *evidence, enum view view, FILE *file);

#endif
