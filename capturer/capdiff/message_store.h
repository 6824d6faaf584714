/*
 * The bytes of messages, each of them once: what several views saw alike is kept in one place.
 *
 * One store for the whole run, which goes away with the last message in it. Looking one up costs
 * the same however many there are, also where somebody made them to have equal hashes.
 */
#ifndef CAPDIFF_MESSAGE_STORE_H
#define CAPDIFF_MESSAGE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message_bytes {
    struct message_bytes *next; /* with the same hash */
    uint64_t hash;
    uint32_t users;
    bool named;    /* call_id has been looked for */
    char *call_id; /* or NULL; goes with the bytes */
    size_t len;
    char data[];
};

/*
 * The bytes, kept; *SHARED: somebody keeps them already. Each call is answered by one of
 * message_store_drop.
 */
struct message_bytes *message_store_keep(const char *data, size_t len, bool *shared);
void message_store_drop(struct message_bytes *bytes);

#endif
