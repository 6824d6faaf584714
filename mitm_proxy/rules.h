/*
 * Rules: which exchanges are attacked, and how. The model and the matching; no I/O.
 *
 * rules_load.h reads them from a file, whose format is rules.schema.json. All that a rule points to
 * belongs to its struct rules.
 */
#ifndef MITM_PROXY_RULES_H
#define MITM_PROXY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http_head.h"
#include "lib/json_text.h"
#include "lib/slice.h"
#include "mitm_proxy/content.h"
#include "mitm_proxy/json_splice.h"

enum rule_side {
    RULE_REQUEST,
    RULE_RESPONSE,
};

/* A text that stands for something else than nothing: `given` tells "" from absent. */
struct rule_text {
    bool given;
    struct slice text;
};

struct rule_field_match {
    struct slice name;      /* case ignored */
    struct rule_text value; /* a glob; not given: there is no such field */
};

struct rule_json_match {
    struct slice pointer; /* RFC 6901 */
    int value;            /* in the rules' own document */
};

/* What must be so; all of it, and what is not given is always so. */
struct rule_match {
    struct rule_text method; /* exact: methods have a case (RFC 9110 §9.1) */
    struct rule_text path;   /* a glob for the target without its query */
    struct rule_text tool;   /* the called tool's name, exact */
    struct rule_text client; /* a glob for agent_a's address without the port */
    struct rule_field_match *fields;
    size_t n_fields;
    struct rule_json_match *json; /* of the body that passes on the rule's side */
    size_t n_json;
};

/* At which of the messages that match; 0: no such condition. All conditions must hold. */
struct rule_when {
    uint64_t nth;   /* only at this one, from 1 */
    uint64_t every; /* at each one whose number it divides */
    uint64_t count; /* at so many at most */
    bool by_chance;
    double probability; /* of each one, drawn from the seed and its number alone */
    uint64_t seed;
};

enum rule_action_kind {
    ACTION_JSON_PATCH,
    ACTION_SET_FIELD,
    ACTION_REMOVE_FIELD,
    ACTION_REPLACE_BODY,
    ACTION_REDIGEST,
    ACTION_SAVE,
    ACTION_RESPOND,
    ACTION_DROP,
    ACTION_RESET,
    ACTION_DELAY,
    ACTION_THROTTLE,
    ACTION_TRUNCATE,
    ACTION_CORRUPT,
    ACTION_REPLAY,
    ACTION_REORDER,
    ACTION_DUPLICATE,
    ACTION_HOLD,
    ACTION_REFRAME,
    ACTION_EDIT_EVENT,
    ACTION_INJECT_EVENT,
    ACTION_DROP_EVENT,
    ACTION_STALL,
};

enum rule_reset_side {
    RULE_RESET_BOTH,
    RULE_RESET_CLIENT,
    RULE_RESET_UPSTREAM,
};

enum rule_framing {
    RULE_FRAMING_CHUNKED,
    RULE_FRAMING_LENGTH,
};

struct rule_field {
    struct slice name, value;
};

struct rule_patch {
    struct json_op *ops;
    size_t count;
};

/* Which server-sent events of a response: of those of the type, the nth; 0: each. */
struct rule_events {
    uint64_t nth;          /* from 1 */
    struct rule_text type; /* a glob for the event's type, "message" where it names none */
};

/* One thing to do. What each does and its units: rules.schema.json. */
struct rule_action {
    enum rule_action_kind kind;
    struct slice by; /* what the log's notes of it begin with: changes.h */
    union {
        struct rule_patch json_patch;
        struct rule_field set_field;
        struct rule_field remove_field; /* the name only */
        struct rule_text replace_body;
        struct {
            struct slice as;
        } save;
        struct {
            struct rule_text saved; /* what save called it; the rest where it is not given */
            uint64_t status;
            struct rule_field *fields;
            size_t n_fields;
            struct rule_text body;
        } respond;
        struct {
            int side; /* enum rule_reset_side */
        } reset;
        struct {
            uint64_t ms;
        } delay;
        struct {
            uint64_t bytes_per_second;
        } throttle;
        struct {
            uint64_t at_byte; /* of the content, from 0 */
        } truncate;
        struct {
            uint64_t at_byte, xor; /* the byte is XORed with 1 to 255 */
        } corrupt;
        struct {
            uint64_t times, after_ms;
        } replay;
        struct {
            uint64_t within_ms;
        } reorder;
        struct {
            uint64_t max_ms;
        } hold;
        struct {
            int to;                /* enum rule_framing */
            uint64_t *chunk_bytes; /* the last one goes on; none: as the chunks come */
            size_t n_chunk_bytes;
        } reframe;
        struct {
            struct rule_events events;
            struct rule_text data;
            struct rule_patch json_patch; /* where data is not given */
        } edit_event;
        struct {
            uint64_t after_nth; /* 0: before the first */
            struct rule_text type, id, data;
        } inject_event;
        struct {
            struct rule_events events;
        } drop_event;
        struct {
            uint64_t after_nth, ms;
        } stall;
    };
};

struct rule {
    struct slice name;
    int side; /* enum rule_side */
    struct rule_match match;
    struct rule_when when;
    struct rule_action *actions;
    size_t n_actions;
    uint64_t matched, fired; /* so far */
    bool concealed;          /* the exchange log does not tell of it */
};

struct rules {
    struct rule *list; /* in the order of the file, in which they fire */
    size_t count;
    struct json_text *json;     /* the file's document, which the rules' values stand in */
    struct rules_kept *kept;    /* all memory that rules point to */
    const struct rule **firing; /* what rules_fire found; has room for all of them */
    bool waits;                 /* there is an action that keeps messages waiting */
    size_t references;
};

/* What is known of a message when rules are asked. Absent slices are what is not known. */
struct rule_facts {
    enum rule_side side;
    struct slice method, target;     /* of the request, on both sides */
    struct slice client;             /* its address and port */
    struct slice tool;               /* that the request calls: a JSON string, quotes and all */
    const struct http_field *fields; /* of the message itself */
    size_t n_fields;
    struct content
        *content; /* of the message itself, whole, or NULL; no JSON matches what is none */
};

/* How much of a message has to be at hand before rules can be fired, and done. */
enum rules_need {
    RULES_NEED_NOTHING, /* no rule can fire, and none counts the message */
    RULES_NEED_HEAD,
    RULES_NEED_WHOLE, /* a match or an action of a rule that may fire needs the body */
};

/*
 * What is needed for a message whose head is known. Right as long as no counter moves: where the
 * head is enough, rules are to be fired now. An event stream is never needed whole: no JSON matches
 * it, and what would be done to it as a whole cannot be done.
 */
enum rules_need rules_need(
    const struct rules *rules, const struct rule_facts *facts, bool event_stream);

/*
 * Which rules fire, in their order: rules->firing, until the next call; *COUNT says how many. The
 * counters move. False when there is no memory to read the body: nothing fired, no counter moved.
 */
bool rules_fire(struct rules *rules, const struct rule_facts *facts, size_t *count)
    __attribute__((warn_unused_result));

/* Sets all counters to 0, as in a run that begins. */
void rules_restart(struct rules *rules);

/* True when the action is done to a message that is at hand as a whole. */
bool rule_action_needs_whole(const struct rule_action *action);

/* True when the action may keep a message, or a part of it, waiting. */
bool rule_action_waits(const struct rule_action *action);

/* The action's name, as in the file. */
const char *rule_action_name(enum rule_action_kind kind);

/*
 * True when TEXT is what GLOB describes: * is any run of bytes, ? is one byte, \ takes the meaning
 * from the next one. No byte is special in TEXT, "/" neither.
 */
bool rule_glob(struct slice glob, struct slice text);
/* The same for names of hosts: ASCII case is ignored (RFC 4343). */
bool rule_glob_nocase(struct slice glob, struct slice text);

/* SIZE zeroed bytes that live as long as RULES; NULL when there is no memory. */
void *rules_keep(struct rules *rules, size_t size);

/* NULL when there is no memory. */
struct rules *rules_new(void);

/*
 * Messages in hand keep their rules when others are loaded: each reference is given up by
 * rules_free, and the last one frees. Counted for one thread only. RULES is returned.
 */
struct rules *rules_ref(struct rules *rules);
void rules_free(struct rules *rules);

#endif
