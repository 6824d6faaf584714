/*
 * How a call ended: a fixed word for scripts, and a clause for people.
 *
 * A call is accepted, or refused, or it failed. It was refused where agent_b said no with a word of
 * its own (any that its answers have, such as replayed or bad_arguments), or where agent_a's
 * defence did not take the answer (the words of defence.h). The words of failures:
 *
 *   connect_failed     no connection: the name, the address or the port is wrong, or nobody listens
 *   tls_failed         TLS's handshake came to nothing, or what came later was no TLS
 *   timeout            no whole answer within the time limit, connecting included
 *   connection_closed  the connection ended before the answer did, or TLS cannot tell whether
 *   connection_reset   it was reset, or failed in another way
 *   unasked_response   something was there to be read on a new connection before the call was sent
 *   tls_untrusted      the server's certificate is not one that we take; nothing was sent
 *   bad_response       the answer is no HTTP/1.1, no JSON, or too large
 *   no_result          the answer is a stream of events, and none of them is the result
 *   id_mismatch        the answer has another id than the call, or none
 *   status             the status is not 2xx, and agent_b did not say why
 *   no_memory
 *
 * The first six of them mean that there is no answer.
 */
#ifndef AGENT_A_OUTCOME_H
#define AGENT_A_OUTCOME_H

#include <stdbool.h>

#include "lib/slice.h"

#define OUTCOME_WORD_MAX 41 /* bytes with the terminator */
#define OUTCOME_REASON_MAX 512

enum outcome_kind {
    OUTCOME_ACCEPTED,
    OUTCOME_REFUSED,
    OUTCOME_FAILED,
};

enum outcome_by {
    OUTCOME_BY_NOBODY,
    OUTCOME_BY_AGENT_A,
    OUTCOME_BY_AGENT_B,
};

/* All zero: accepted. */
struct outcome {
    enum outcome_kind kind;
    enum outcome_by by; /* who refused */
    char word[OUTCOME_WORD_MAX];
    char claimed[OUTCOME_WORD_MAX]; /* an error's word that is not known to be agent_b's, or "" */
    char reason[OUTCOME_REASON_MAX];
};

/* Both return false, for checks that end so. A WORD that is too long is cut. */
bool outcome_fail(struct outcome *outcome, const char *word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool outcome_refuse(struct outcome *outcome, enum outcome_by by, const char *word,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* True where no answer came, and it is not even known whether the call was carried out. */
bool outcome_is_silence(const struct outcome *outcome);

/* True where the answer may be to another call, so that its connection is not to be used again. */
bool outcome_is_astray(const struct outcome *outcome);

#endif
