/*
 * The keys of a defence, from files or the environment. Part of defence.
 */
#ifndef LIB_DEFENCE_KEY_H
#define LIB_DEFENCE_KEY_H

#include "lib/crypto.h"
#include "lib/defence.h"

struct defence_keys {
    struct crypto_key *own;  /* signs */
    struct crypto_key *peer; /* verifies: the other side's */
};

/* False when they cannot be used: an error was logged. Call the other whatever comes back. */
bool defence_keys_load(struct defence_keys *keys, const struct defence_options *options);
void defence_keys_deinit(struct defence_keys *keys);

#endif
