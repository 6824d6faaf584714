#include "mitm_proxy/changes.h"

#include "lib/json_text.h"

static const struct redact *hiding; /* NULL: nothing is hidden */

void changes_redact(const struct redact *redact)
{
    hiding = redact;
}

#define MEMBER(name) ",\"" name "\":"

/* One object that is being written; the first failure makes the rest no-ops. */
struct note {
    struct buf *out;
    size_t before;
    int err;
};

static void add_slice(struct note *note, struct slice text)
{
    if (!note->err)
        note->err = buf_append(note->out, text.data, text.len);
}

static inline void add(struct note *note, const char *text)
{
    add_slice(note, slice_str(text));
}

static void add_text(struct note *note, struct slice text)
{
    if (!text.data)
        add(note, "null");
    else if (!note->err)
        note->err = json_string_encode(text, note->out);
}

/* A member: what is before its value, as MEMBER has it, and that. */
static inline void add_string(struct note *note, const char *member, struct slice text)
{
    add(note, member);
    add_text(note, text);
}

/* Of what is hidden only how long it is. */
static inline void add_value(struct note *note, const char *member, struct slice text, bool hidden)
{
    if (!hidden || !text.data)
        add_string(note, member, text);
    else if (!note->err)
        note->err = buf_printf(note->out, "%s{\"redacted\":%zu}", member, text.len);
}

static void add_name(struct note *note, const char *name)
{
    add(note, ",\"");
    add(note, name);
    add(note, "\":");
}

int change_by(struct buf *out, bool response, struct slice rule, const char *action)
{
    struct note note = {.out = out, .before = out->len};
    add(&note, response ? "\"side\":\"response\"" : "\"side\":\"request\"");
    add_string(&note, MEMBER("rule"), rule);
    add_string(&note, MEMBER("action"), slice_str(action));
    return note.err;
}

static struct note begin(const struct change *change)
{
    struct note note = {.out = change->out, .before = change->out->len};
    add(&note, note.before > 0 ? ",{" : "{");
    add_slice(&note, change->by.data ? change->by : slice_str("\"side\":\"request\""));
    return note;
}

static bool end(struct note *note)
{
    add(note, "}");
    if (note->err)
        note->out->len = note->before;
    return note->err == 0;
}

bool change_note_json(
    const struct change *change, struct slice pointer, struct slice old, struct slice new_text)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    if (!pointer.data)
        pointer = slice_str("");
    bool hidden = hiding && redact_hides_value(hiding, pointer);
    add_string(&note, MEMBER("pointer"), pointer);
    add_value(&note, MEMBER("old"), old, hidden);
    add_value(&note, MEMBER("new"), new_text, hidden);
    return end(&note);
}

bool change_note_field(
    const struct change *change, struct slice name, struct slice old, struct slice new_value)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    bool hidden = hiding && redact_hides_field(hiding, name);
    add_string(&note, MEMBER("field"), name);
    add_value(&note, MEMBER("old"), old, hidden);
    add_value(&note, MEMBER("new"), new_value, hidden);
    return end(&note);
}

bool change_note_target(const struct change *change, struct slice old, struct slice new_target)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    add_string(&note, MEMBER("target") "{\"old\":", old);
    add_string(&note, MEMBER("new"), new_target);
    add(&note, "}");
    return end(&note);
}

bool change_note_body(
    const struct change *change, const struct change_body *old, const struct change_body *now)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    if (!note.err)
        note.err = buf_printf(note.out,
            ",\"body\":{\"old_bytes\":%llu,\"old_sha256\":\"%s\",\"new_bytes\":%llu,"
            "\"new_sha256\":\"%s\"}",
            (unsigned long long)old->bytes, old->sha256, (unsigned long long)now->bytes,
            now->sha256);
    return end(&note);
}

bool change_note_framing(const struct change *change, const char *old, const char *now)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    if (!note.err)
        note.err = buf_printf(note.out, ",\"framing\":{\"old\":\"%s\",\"new\":\"%s\"}", old, now);
    return end(&note);
}

bool change_note_status(const struct change *change, int old, int now)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    if (!note.err && old)
        note.err = buf_printf(note.out, ",\"status\":{\"old\":%d,\"new\":%d}", old, now);
    else if (!note.err)
        note.err = buf_printf(note.out, ",\"status\":{\"old\":null,\"new\":%d}", now);
    return end(&note);
}

bool change_note_numbers(const struct change *change, const char *const *names,
    const uint64_t *numbers, unsigned int count)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    for (unsigned int i = 0; i < count; i++) {
        add_name(&note, names[i]);
        if (!note.err)
            note.err = buf_append_number(note.out, numbers[i]);
    }
    return end(&note);
}

bool change_note_text(const struct change *change, const char *name, struct slice text)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    add_name(&note, name);
    add_text(&note, text);
    return end(&note);
}

bool change_note_failed(const struct change *change, const char *word, const char *reason)
{
    if (change->concealed)
        return true;
    struct note note = begin(change);
    add_string(&note, MEMBER("failed"), slice_str(word));
    add_string(&note, MEMBER("reason"), slice_str(reason));
    return end(&note);
}
