/*
 * The grammar of RFC 8259, gone through once without recursion: what is where. Part of json_text.
 */
#ifndef LIB_JSON_TOKENS_H
#define LIB_JSON_TOKENS_H

#include <stdbool.h>

#include "lib/json_text.h"

/* A value, or a member's key before its value. */
struct json_token {
    int start, end; /* byte offsets of its text, quotes included */
    int parent;     /* of an element or a key its container, of a member's value its key, or -1 */
    int size;       /* tokens of what it contains, itself included */
};

#define JSON_TOKENS_FIRST 32 /* tokens of a small document, which need no memory of their own */

struct json_tokens {
    struct json_token *list; /* in document order; the first is the root */
    int count, room;
    const char *why; /* a fixed sentence when TEXT is no document … */
    size_t at;       /* … and the byte offset where that shows */
    struct json_token first[JSON_TOKENS_FIRST];
};

/*
 * True when TEXT is one document within the limits of json_text.h. To be freed either way, and not
 * to be moved before.
 */
bool json_tokens_read(struct json_tokens *tokens, struct slice text);
void json_tokens_free(struct json_tokens *tokens);

#endif
