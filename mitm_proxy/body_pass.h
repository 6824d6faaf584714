/*
 * A body that is changed as it passes: corrupt, truncate, edits of server-sent events, other
 * chunks. No I/O. What it does hangs on the bytes alone, not on the pieces in which they come.
 *
 * Where no action changes how long the content is, the framing passes byte for byte: chunks keep
 * their borders, extensions and trailers. Else the content is framed anew, in chunks, which keep
 * the trailers, or up to the end of the connection.
 */
#ifndef MITM_PROXY_BODY_PASS_H
#define MITM_PROXY_BODY_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/sha256.h"
#include "lib/slice.h"
#include "mitm_proxy/message.h"
#include "mitm_proxy/rules.h"

struct body_pass;

/* ACTION is an index among those that body_pass_new was given. */
struct body_pass_watch {
    /* Behind the first AT of the bytes that this call appends nothing goes on for MS. 0 or UV_E*.
     */
    int (*on_stall)(void *arg, size_t at, uint64_t ms, size_t action);
    void (*on_failed)(void *arg, size_t action, const char *word, const char *reason);
    void *arg;
};

/* True when the action is one that is done while the body passes. */
bool body_pass_does(const struct rule_action *action);

/* True when the action may change how long the content is, or how it is framed. */
bool body_pass_reframes(const struct rule_action *action);

/*
 * ACTIONS outlive it; the list itself need not. IN is how the body comes. One that is framed anew
 * goes out in chunks, or up to the end of the connection where it came so and no action is reframe.
 * NULL when there is no memory.
 */
struct body_pass *body_pass_new(
    const struct rule_action *const *actions, size_t count, enum message_framing in);
void body_pass_free(struct body_pass *pass);

/*
 * Takes more of the body as it is framed, and appends what goes on to OUT; LAST: it is whole.
 * 0, UV_ENOMEM, UV_ENOBUFS or what on_stall returned: nothing can be fed any more then.
 */
int body_pass_feed(struct body_pass *pass, struct slice body, bool last, struct buf *out,
    const struct body_pass_watch *watch) __attribute__((warn_unused_result));

/* The body was cut: nothing follows what went out, and the message has no end. */
bool body_pass_is_cut(const struct body_pass *pass);
/* The action changed something so far. */
bool body_pass_did(const struct body_pass *pass, size_t action);
/* Chunks went out other than they came, though the framing is called the same. */
bool body_pass_moved_chunks(const struct body_pass *pass);
/* Bytes of content that went out, and their digest; to be asked for once. */
uint64_t body_pass_digest(struct body_pass *pass, char sha256[SHA256_HEX_SIZE]);

#endif
