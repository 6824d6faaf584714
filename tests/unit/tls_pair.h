/*
 * Two ends of TLS that talk in memory, and certificates for them.
 */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "lib/buf.h"
#include "lib/tls.h"

/* Group setup and teardown: what tests/pki makes, in a folder of its own. */
int pki_make(void **state);
int pki_remove(void **state);

/* The path of one of its files, valid until eight more have been asked for; NULL for NULL. */
const char *pki_file(const char *name);

/* A context that has to come about. */
struct tls_context *context_of(const struct tls_config *config);
/* A server's with certificate NAME, and a client's that trusts the authority. */
struct tls_context *server_context(const char *name);
struct tls_context *client_context(void);

struct tls_end {
    struct tls *tls;
    struct buf wire;   /* for the other end, not yet there */
    struct buf plain;  /* from the other end */
    size_t wire_most;  /* the longest that the sink was given at once */
    size_t plain_most; /* the same */
    int err;           /* of the last call */
};

struct tls_pair {
    struct tls_end client, server;
    size_t piece_max; /* bytes that are taken at once: 0 for all that is there */
};

void pair_start(struct tls_pair *pair, struct tls_context *client, const char *host,
    struct tls_context *server);
/* Frees both ends. */
void pair_end(struct tls_pair *pair);

/* Carries bytes both ways until there are none, or an end has failed and the other knows. */
void pair_run(struct tls_pair *pair);

/* Both have shaken hands, and complain of nothing. */
void pair_assert_open(const struct tls_pair *pair);
/* All that came is WANTED. */
void end_assert_got(const struct tls_end *end, struct slice wanted);

/* All of these keep what came back in end->err. */
void end_take(struct tls_end *end, struct slice wire);
void end_write(struct tls_end *end, struct slice plain);
void end_say_end(struct tls_end *end);

#endif
