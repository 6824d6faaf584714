/*
 * What agent_a and agent_b may do against someone between them: digests of the bodies (RFC 9530),
 * signed messages (RFC 9421), and refusing JSON that can be read in two ways. Off unless a profile
 * is chosen, and then demanded of the other side too.
 *
 * A request is signed over @method, @authority, @path and @query rather than @target-uri: a reverse
 * proxy that keeps Host keeps all four, while the scheme changes where it ends TLS. A response is
 * signed over its status and, by ;req, over all of that and the request's signature, so that it
 * answers this request only.
 */
#ifndef LIB_DEFENCE_H
#define LIB_DEFENCE_H

#include "lib/http_head.h"
#include "lib/json_text.h"
#include "lib/options.h"

enum defence_profile {
    DEFENCE_NONE,
    DEFENCE_DIGEST,       /* both sides send and demand Content-Digest */
    DEFENCE_SIGNED,       /* and sign it, with what the message is for */
    DEFENCE_SIGNED_NONCE, /* and a nonce, for a time window */
    DEFENCE_STRICT_JSON,  /* duplicate keys, also by case, and bad UTF-8 are refused */
    DEFENCE_ALL,
};

extern const char *const defence_profiles[]; /* their names, for OPTION_CHOICE */

struct defence_options {
    int profile;          /* enum defence_profile */
    const char *key;      /* file: a shared secret, or this side's private Ed25519 key as PEM */
    const char *peer_key; /* file: the other side's public Ed25519 key as PEM, or NULL */
    uint64_t window;      /* seconds that a message is good for */
};

#define DEFENCE_WINDOW_DEFAULT 30
#define DEFENCE_WINDOW_MAX 3600
#define DEFENCE_NONCE_MAX 128 /* bytes of a nonce that is taken */

/* The rows of an options table, for a struct defence_options. */
#define DEFENCE_OPTIONS(options)                                                                   \
    {.name = "defence",                                                                            \
        .env = "AGENT_DEFENCE",                                                                    \
        .value_name = "PROFILE",                                                                   \
        .help = "What is done against changes on the way, by both agents alike: none, digest, "    \
                "signed, signed-nonce, strict-json or all (none).",                                \
        .kind = OPTION_CHOICE,                                                                     \
        .target = &(options)->profile,                                                             \
        .choices = defence_profiles},                                                              \
        {.name = "key",                                                                            \
            .env = "AGENT_KEY",                                                                    \
            .value_name = "FILE",                                                                  \
            .help = "Signs: a secret of 16 bytes or more that both agents have, or this agent's "  \
                    "own Ed25519 private key as PEM (the secret in AGENT_SECRET).",                \
            .kind = OPTION_STRING,                                                                 \
            .target = &(options)->key},                                                            \
        {.name = "peer-key",                                                                       \
            .env = "AGENT_PEER_KEY",                                                               \
            .value_name = "FILE",                                                                  \
            .help = "With an Ed25519 --key: the other agent's public key as PEM.",                 \
            .kind = OPTION_STRING,                                                                 \
            .target = &(options)->peer_key},                                                       \
    {                                                                                              \
        .name = "defence-window", .env = "AGENT_DEFENCE_WINDOW", .value_name = "S",                \
        .help = "Seconds that a message with a nonce is good for (30).", .kind = OPTION_NUMBER,    \
        .target = &(options)->window, .min = 1, .max = DEFENCE_WINDOW_MAX                          \
    }

/*
 * Why a message is refused. The words are digest_missing, digest_mismatch, signature_missing,
 * signature_invalid, expired, replayed, ambiguous_json, and no_memory.
 */
struct defence_refusal {
    const char *word;
    const char *reason; /* a clause for people */
    int status;         /* that a server answers with */
};

struct defence;

/*
 * OWN_ID and PEER_ID are the keyids of this side's and the other side's signatures; they must
 * outlive the defence. NULL when a key cannot be used: an error was logged. The profile none takes
 * no key.
 */
struct defence *defence_new(
    const struct defence_options *options, const char *own_id, const char *peer_id);
void defence_free(struct defence *defence);

/* The clock, in seconds since 1970, for tests. */
void defence_set_clock(struct defence *defence, int64_t (*now)(void));
int64_t defence_now(const struct defence *defence);

/* True when the profile has nothing that concerns heads; true too for a defence that is NULL. */
bool defence_is_silent(const struct defence *defence);

/*
 * Appends the field lines that a request or a response with HEAD and BODY needs. A response's HEAD
 * needs its status and Content-Type only. 0 or UV_E*; on error OUT may hold a part.
 */
int defence_sign_request(const struct defence *defence, const struct http_head *head,
    struct slice body, struct buf *out) __attribute__((warn_unused_result));
int defence_sign_response(const struct defence *defence, const struct http_head *request,
    const struct http_head *head, struct slice body, struct buf *out)
    __attribute__((warn_unused_result));

/*
 * True when a request is good. Where the profile wants nonces, NONCE (DEFENCE_NONCE_MAX + 1 bytes)
 * has it as text and the caller refuses one that it has seen before; otherwise it is "".
 */
bool defence_check_request(const struct defence *defence, const struct http_head *head,
    struct slice body, char *nonce, struct defence_refusal *refusal);

/* True when a response is good, and the answer to REQUEST, which is as it was sent. */
bool defence_check_response(const struct defence *defence, const struct http_head *request,
    const struct http_head *head, struct slice body, struct defence_refusal *refusal);

/* True when the profile takes TEXT, which is JSON. */
bool defence_check_json(const struct defence *defence, const struct json_text *json,
    struct slice text, struct defence_refusal *refusal);

#endif
