/*
 * A certificate authority in a folder of its own, and certificates of upstreams. Link with
 * -Wl,--wrap=time.
 */
#ifndef TESTS_MINT_KIT_H
#define TESTS_MINT_KIT_H

#include <openssl/x509v3.h>
#include <time.h>

#include "lib/slice.h"

#define KIT_DAY 86400L

/* What time(3) says in our own code is so many seconds from the truth. */
extern time_t kit_shift;

/* Test setup and teardown: an empty folder, and the clock is right. */
int kit_setup(void **state);
int kit_teardown(void **state);

/* In the folder; valid until eight more have been asked for. */
const char *kit_path(const char *name);

/* A CA in DIR of the folder, for all names or for what the texts up to NULL permit. */
void kit_make_ca(const char *dir, const char *const *permits);

/* The DER of a certificate. NAMES as in x509v3_config(5), NULL: none; CN: NULL: none. */
struct slice kit_upstream(const char *names, const char *common_name, time_t until);

#endif
