/*
 * One capture alone: what exchanges are in it, and how one of them and its neighbours read.
 */
#ifndef CAPDIFF_LISTING_H
#define CAPDIFF_LISTING_H

#include <stdio.h>

#include "capturer/capdiff/report.h"

/* A line each, by time, after what the capture is worth. */
void listing_write(const struct report *report, FILE *file, bool color);
/* The same as JSON, with the states, sizes and digests of the messages; see report.schema.json. */
void listing_json(const struct report *report, FILE *file);

/*
 * The connection of exchange NUMBER, both directions, message after message: "> " before each line
 * that the client sent, "< " before the server's. Lines end where CRLF or LF did; whatever else is
 * no text is escaped. False: there is no such exchange.
 */
bool listing_follow(const struct report *report, uint64_t number, FILE *file, bool color);

#endif
