/*
 * What a message says: its text, the JSON that this is and its digest, both found once, when they
 * are first asked for. No I/O.
 */
#ifndef MITM_PROXY_CONTENT_H
#define MITM_PROXY_CONTENT_H

#include <stdbool.h>

#include "lib/json_text.h"
#include "lib/sha256.h"
#include "lib/slice.h"

struct content {
    struct slice text; /* borrowed; absent: it is not known */
    bool read;
    struct json_text *json; /* of the text, once read and where it is JSON; else `why` not */
    const char *why;
    char sha256[SHA256_HEX_SIZE]; /* "" before it was asked for */
};

static inline struct content content_of(struct slice text)
{
    return (struct content){.text = text};
}

/*
 * NULL where it is no JSON, or there is no memory, with *WHY as json_text_parse has it, which may
 * be NULL.
 */
const struct json_text *content_json(struct content *content, const char **why);

/* Its digest, by SHA, which nothing else is under way with; "" where that cannot be. */
const char *content_digest(struct content *content, struct sha256 *sha);

/* Forgets all of it. */
void content_deinit(struct content *content);

#endif
