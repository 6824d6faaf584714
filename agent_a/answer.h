/*
 * What an answer is worth: whether agent_a takes it, or who refused what and why.
 */
#ifndef AGENT_A_ANSWER_H
#define AGENT_A_ANSWER_H

#include "agent_a/client.h"
#include "agent_a/outcome.h"
#include "lib/defence.h"

/* What was asked. */
struct question {
    const struct defence *defence; /* NULL: none */
    struct slice request;          /* as it was sent */
    struct slice call;             /* its body */
};

/*
 * Judges an answer that came whole. CONTENT is what it says: its body or, where it is a stream of
 * events, the result; absent when there is none. OUTCOME is all zero; it stays so where the answer
 * is accepted.
 *
 * An error that is not proven where there is a defence was refused by agent_a, whatever it says:
 * agent_b's word in it may be a lie, and is what was claimed.
 */
void answer_judge(const struct question *question, const struct client_answer *answer,
    struct slice content, struct outcome *outcome);

#endif
