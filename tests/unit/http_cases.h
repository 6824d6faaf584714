/*
 * The cases of tests/data/http/: bytes as they may come, and what becomes of them. The format is
 * told at the top of requests.txt and responses.txt there.
 */
#ifndef TESTS_UNIT_HTTP_CASES_H
#define TESTS_UNIT_HTTP_CASES_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/buf.h"

struct http_case {
    char name[128];
    struct buf bytes;  /* the reader's to deinit */
    struct buf passes; /* likewise: what is passed on before the refusal */
    char expect[4096];
    bool head, eof;
};

/* Reads the next case of FILE; false at its end. */
bool http_case_next(FILE *file, struct http_case *test);

/* Appends TEXT to OUT with its escapes decoded. */
void http_case_unescape(struct buf *out, const char *text);

#endif
