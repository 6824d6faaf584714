/*
 * What the exchange log declares that was done to a message, against what the wire shows of it.
 *
 * The changes are done again, in their order, to what came in, and must come to what went out:
 * values and field lines to the byte, and a framing by its kind. Where a body as a whole is
 * declared, its digests before and after are what counts; values that are declared besides are not
 * looked at. So what is declared and not there is found, and what is there and not declared.
 */
#ifndef CAPDIFF_DECLARED_H
#define CAPDIFF_DECLARED_H

#include "capturer/capdiff/findings.h"

#define DECLARED_OTHERS_MAX 32 /* pointers of values that are other than declared */

struct declared_change;

/* One message of the exchange. */
struct declared_side {
    bool replaced; /* another message took its place, as declared */
    /* Changes of its content, and of its framing, are declared, and come to what went out. */
    bool has_content, content_holds;
    bool has_framing, framing_holds;
    bool continued; /* the proxy may have told the client to go on, with 100 */
    bool unchunked; /* its chunks went, and their trailers with them */
    /* Where the content is not as declared: by pointer, where all such places are known. */
    bool others_known;
    char *others[DECLARED_OTHERS_MAX];
    size_t n_others;
    size_t real; /* differences of content that were told */
};

struct declared {
    const struct log_record *record; /* NULL: nothing is declared */
    struct declared_change *changes; /* as many as the record has */
    struct declared_side sides[2];   /* the request, the response */
};

void declared_init(struct declared *declared, const struct log_record *record);
void declared_deinit(struct declared *declared);

/*
 * Does the declared changes of one side to the message that came in: those of its head and framing
 * where both heads are there, those of its content where both are whole, or a body is declared.
 */
void declared_follow(struct declared *declared, bool response, const struct message *before,
    const struct message *after);

/* A request that was gathered for a rule has its Expect: 100-continue answered by the proxy. */
void declared_continue(struct declared *declared, const struct message *request);

/* It cannot be told after all what became of the content: nothing is held against it. */
void declared_leave_content(struct declared *declared, bool response);

/* The message was replaced, as the log says: whatever differs is declared. */
void declared_replace(struct declared *declared, bool response);

/* True if a difference is declared. As for compare_judge_cb. */
bool declared_covers(struct declared *declared, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after);

/* Adds findings for what is declared of the messages and the wire does not bear out. */
void declared_say_rest(
    const struct declared *declared, struct findings *findings, const struct crossing *crossing);

#endif
