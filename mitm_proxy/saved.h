/*
 * Responses that save has put aside, for respond to answer with. No I/O.
 */
#ifndef MITM_PROXY_SAVED_H
#define MITM_PROXY_SAVED_H

#include <stddef.h>

#include "lib/slice.h"
#include "mitm_proxy/message.h"

#define SAVED_MAX 64                /* names */
#define SAVED_BYTES_MAX (1UL << 20) /* of a response that is kept */

struct saved_response {
    char *name;
    struct message message;
    int status;
};

struct saved {
    struct saved_response *list[SAVED_MAX];
    size_t count;
};

/*
 * Keeps a copy of the response; an earlier one with the same name goes. 0, UV_ENOBUFS when there
 * are too many names or bytes, or UV_ENOMEM.
 */
int saved_put(struct saved *saved, struct slice name, const struct message *message, int status)
    __attribute__((warn_unused_result));

/* NULL: nothing was saved by that name. Valid until the next saved_put. */
struct saved_response *saved_find(const struct saved *saved, struct slice name);

void saved_deinit(struct saved *saved);

#endif
