/*
 * Connections that were opened, and forgotten before a byte was said on them: what has to be known
 * of each to read it from its beginning, should anything be said after all.
 *
 * A table of fixed size; where many are forgotten, a newer one takes the place of an older one.
 */
#ifndef CAPDIFF_KNOCKS_H
#define CAPDIFF_KNOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "capturer/capdiff/endpoint.h"

struct knock {
    uint32_t isn[2]; /* the client's, the server's */
    bool has_isn[2];
};

struct knocks;

struct knocks *knocks_new(void);
void knocks_free(struct knocks *knocks);

void knocks_put(struct knocks *knocks, const struct endpoint *client, const struct endpoint *server,
    const struct knock *knock);

/*
 * Takes out what is known of a connection between two ends. *FROM_CLIENT says whether A is the
 * client. False: nothing.
 */
bool knocks_take(struct knocks *knocks, const struct endpoint *a, const struct endpoint *b,
    struct knock *knock, bool *from_client);

#endif
