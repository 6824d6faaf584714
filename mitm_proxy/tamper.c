#include "mitm_proxy/tamper.h"

#include <stdlib.h>
#include <uv.h>

#include "lib/http_digest.h"
#include "lib/http_response.h"
#include "mitm_proxy/body_pass.h"
#include "mitm_proxy/json_splice.h"

#define LATE_MAX (64UL * 1024)

int tamper_begin(struct tamper *tamper, const struct rule *const *fired, size_t count,
    const struct tamper_facts *facts, struct buf *changes)
{
    size_t steps = 0;
    for (size_t i = 0; i < count; i++)
        steps += fired[i]->n_actions;
    *tamper = (struct tamper){
        .facts = *facts, .changes = changes, .body_step = TAMPER_NONE, .end_step = TAMPER_NONE};
    buf_init(&tamper->late, LATE_MAX);
    tamper->steps = malloc((steps + 1) * sizeof *tamper->steps);
    if (!tamper->steps)
        return UV_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < fired[i]->n_actions; j++)
            tamper->steps[tamper->count++] = (struct tamper_step){fired[i], &fired[i]->actions[j]};
    }
    return 0;
}

void tamper_deinit(struct tamper *tamper)
{
    free(tamper->steps);
    free(tamper->pass_steps);
    free(tamper->pass_actions);
    buf_deinit(&tamper->late);
    *tamper = (struct tamper){0};
}

struct change tamper_change(struct tamper *tamper, size_t step)
{
    const struct tamper_step *of = &tamper->steps[step];
    return (struct change){
        .out = tamper->changes,
        .by = of->action->by,
        .concealed = of->rule->concealed,
    };
}

static void note_failed(struct tamper *tamper, size_t step, const char *word, const char *reason)
{
    struct change change = tamper_change(tamper, step);
    change_note_failed(&change, word, reason);
}

/* The edits of one message while they are done. */
struct edit {
    struct tamper *tamper;
    struct message *message;
    size_t step;             /* the one that is being done */
    bool late;               /* notes go behind the one of the body */
    struct content *content; /* as it is now: as it came, or `changed` */
    struct content changed;
    struct buf made;     /* where the text of that stands */
    size_t content_step; /* the first that changed it, or TAMPER_NONE */
    bool notes_fit;
};

static struct change edit_change(const struct edit *edit)
{
    struct change change = tamper_change(edit->tamper, edit->step);
    if (edit->late)
        change.out = &edit->tamper->late;
    /* What is done to a message that goes nowhere changes nothing for anyone. */
    change.concealed = change.concealed || edit->tamper->end_step != TAMPER_NONE;
    return change;
}

static void on_field(void *arg, struct slice name, struct slice old, struct slice new_value)
{
    struct change change = edit_change(arg);
    change_note_field(&change, name, old, new_value);
}

static void on_framing(void *arg, enum message_framing old, enum message_framing now)
{
    struct change change = edit_change(arg);
    change_note_framing(&change, message_framing_name(old), message_framing_name(now));
}

static struct message_watch watch_of(struct edit *edit)
{
    return (struct message_watch){.on_field = on_field, .on_framing = on_framing, .arg = edit};
}

/* MADE, which is the edit's then, is the content now. */
static void change_content(struct edit *edit, struct buf *made)
{
    if (edit->content_step == TAMPER_NONE)
        edit->content_step = edit->step;
    content_deinit(&edit->changed);
    buf_deinit(&edit->made);
    edit->made = *made;
    edit->changed = content_of(slice_of(made->len > 0 ? made->data : "", made->len));
    edit->content = &edit->changed;
}

static void on_json(void *arg, struct slice pointer, struct slice old, struct slice new_text)
{
    struct edit *edit = arg;
    struct change change = edit_change(edit);
    edit->notes_fit = edit->notes_fit && change_note_json(&change, pointer, old, new_text);
}

static int patch_json(struct edit *edit, const struct rule_patch *patch)
{
    struct json_splice_watch watch = {.on_change = on_json, .arg = edit};
    struct json_splice_problem problem;
    struct buf out;
    size_t before = edit->tamper->changes->len;
    buf_init(&out, edit->message->body.max);
    edit->notes_fit = true;
    if (!json_splice(edit->content, patch->ops, patch->count, &out, &watch, &problem)) {
        edit->tamper->changes->len = before;
        buf_deinit(&out);
        note_failed(edit->tamper, edit->step, problem.word, problem.reason);
        return 0;
    }
    if (!edit->notes_fit) { /* then the whole body is declared */
        edit->tamper->changes->len = before;
        if (edit->tamper->body_step == TAMPER_NONE)
            edit->tamper->body_step = edit->step;
    }
    if (slice_equal(edit->content->text, slice_of(out.data, out.len)))
        buf_deinit(&out);
    else
        change_content(edit, &out);
    return 0;
}

static int replace_body(struct edit *edit, struct slice text)
{
    struct buf body;
    if (edit->tamper->facts.bodiless) {
        note_failed(edit->tamper, edit->step, "no_body", "this message cannot have a body");
        return 0;
    }
    if (slice_equal(edit->content->text, text))
        return 0;
    buf_init(&body, edit->message->body.max);
    int err = buf_append(&body, text.data, text.len);
    if (err)
        return err;
    change_content(edit, &body);
    if (edit->tamper->body_step == TAMPER_NONE)
        edit->tamper->body_step = edit->step;
    return 0;
}

static int set_field(struct edit *edit, struct slice name, struct slice value)
{
    struct message_watch watch = watch_of(edit);
    int err = message_set_field(edit->message, name, value, &watch);
    if (err != UV_ENOBUFS)
        return err;
    note_failed(edit->tamper, edit->step, "too_large", "the head would be too large");
    return 0;
}

static int redigest(struct edit *edit)
{
    static const char name[] = "Content-Digest: ";
    struct buf line;
    buf_init(&line, 256);
    int err = http_digest_append(&line, edit->content->text);
    if (!err) {
        struct slice value = slice_of(line.data + strlen(name), line.len - strlen(name) - 2);
        err = set_field(edit, slice_str("Content-Digest"), value);
    }
    buf_deinit(&line);
    return err;
}

/* The message as it is now, its content included. */
static int save(struct edit *edit, struct slice as)
{
    struct tamper *tamper = edit->tamper;
    const struct message *now = edit->message;
    struct message copy;
    if (tamper->facts.bodiless && http_status_has_body(tamper->facts.status)) {
        note_failed(tamper, edit->step, "no_body", "the answer to HEAD is none to anything else");
        return 0;
    }
    message_init(&copy, SIZE_MAX);
    int err = message_begin(&copy, slice_of(now->head.data, now->head.len), now->framing);
    if (!err)
        err = message_append(&copy, slice_of(now->body.data, now->body.len));
    if (!err && !tamper->facts.bodiless)
        err = message_set_content(&copy, edit->content->text, NULL);
    if (!err)
        err = saved_put(tamper->facts.saved, as, &copy, tamper->facts.status);
    message_deinit(&copy);
    if (err == UV_ENOBUFS) {
        note_failed(tamper, edit->step, "too_large", "too many or too large responses to save");
        return 0;
    }
    struct change change = tamper_change(tamper, edit->step);
    if (!err)
        change_note_text(&change, "as", as);
    return err;
}

static int edit_one(struct edit *edit)
{
    const struct rule_action *action = edit->tamper->steps[edit->step].action;
    struct message_watch watch = watch_of(edit);
    switch (action->kind) {
    case ACTION_JSON_PATCH:
        return patch_json(edit, &action->json_patch);
    case ACTION_REPLACE_BODY:
        return replace_body(edit, action->replace_body.text);
    case ACTION_SET_FIELD:
        return set_field(edit, action->set_field.name, action->set_field.value);
    case ACTION_REMOVE_FIELD:
        return message_remove_field(edit->message, action->remove_field.name, &watch);
    case ACTION_REDIGEST:
        return redigest(edit);
    case ACTION_SAVE:
        return save(edit, action->save.as);
    default:
        return 0;
    }
}

/* All that is done is told place by place: of what came as a whole there is no word. */
static bool is_told_by_place(const struct tamper *tamper)
{
    bool by_place = tamper->body_step == TAMPER_NONE;
    for (size_t i = 0; by_place && i < tamper->count; i++) {
        enum rule_action_kind kind = tamper->steps[i].action->kind;
        by_place =
            kind == ACTION_JSON_PATCH || kind == ACTION_SET_FIELD || kind == ACTION_REMOVE_FIELD;
    }
    return by_place;
}

/* What was changed goes into the message in the place of what CAME, and its framing follows. */
static int put_content(struct edit *edit, struct content *came)
{
    struct message_watch watch = watch_of(edit);
    if (edit->content_step == TAMPER_NONE)
        return 0;
    if (!is_told_by_place(edit->tamper))
        (void)content_digest(came, edit->tamper->facts.sha);
    edit->step = edit->content_step;
    edit->tamper->content_changed = true;
    return message_take_content(edit->message, &edit->made, &watch);
}

static int reframe_to_length(struct edit *edit)
{
    struct tamper *tamper = edit->tamper;
    struct message_watch watch = watch_of(edit);
    int err = 0;
    for (size_t i = 0; !err && i < tamper->count; i++) {
        const struct rule_action *action = tamper->steps[i].action;
        if (action->kind != ACTION_REFRAME || !rule_action_needs_whole(action) ||
            !tamper->facts.gathered)
            continue;
        edit->step = i;
        if (!tamper->facts.bodiless)
            err = message_to_length(edit->message, &watch);
    }
    return err;
}

/* Why the step cannot be done while the body passes; NULL: it can. */
static const char *why_not(const struct edit *edit, const char **word)
{
    const struct tamper *tamper = edit->tamper;
    const struct tamper_facts *facts = &tamper->facts;
    const struct rule_action *action = tamper->steps[edit->step].action;
    bool reframe = action->kind == ACTION_REFRAME;
    bool events = !reframe && action->kind != ACTION_CORRUPT && action->kind != ACTION_TRUNCATE;
    bool becomes_chunks = edit->message->framing == MESSAGE_LENGTH ||
                          (edit->message->framing == MESSAGE_CLOSE && reframe);
    bool empty = edit->message->framing == MESSAGE_LENGTH &&
                 (facts->gathered ? edit->message->body.len == 0 : facts->empty);
    if (facts->bodiless || (reframe && empty)) {
        *word = "no_body";
        return "there is no body";
    }
    if (events && !facts->event_stream) {
        *word = "no_event_stream";
        return "the response is no stream of events";
    }
    if (facts->http_1_0 && becomes_chunks && body_pass_reframes(action)) {
        *word = "http_1_0";
        return "an HTTP/1.0 client knows no chunks";
    }
    return NULL;
}

/* The body meets that step on its way. */
static int add_pass(struct tamper *tamper, size_t step)
{
    if (tamper->n_pass == 0) { /* few messages have any */
        tamper->pass_steps = malloc(tamper->count * sizeof *tamper->pass_steps);
        tamper->pass_actions = malloc(tamper->count * sizeof(void *));
    }
    if (!tamper->pass_steps || !tamper->pass_actions)
        return UV_ENOMEM;
    tamper->pass_steps[tamper->n_pass] = step;
    tamper->pass_actions[tamper->n_pass++] = tamper->steps[step].action;
    return 0;
}

/* Which steps the body meets on its way; the head says so already. */
static int plan_pass(struct edit *edit)
{
    struct tamper *tamper = edit->tamper;
    struct message_watch watch = watch_of(edit);
    int err = 0;
    for (size_t i = 0; !err && i < tamper->count; i++) {
        const struct rule_action *action = tamper->steps[i].action;
        const char *word, *reason;
        if (!body_pass_does(action))
            continue;
        edit->step = i;
        reason = why_not(edit, &word);
        if (reason) {
            note_failed(tamper, i, word, reason);
            continue;
        }
        bool reframe = action->kind == ACTION_REFRAME;
        if (reframe || (body_pass_reframes(action) && edit->message->framing == MESSAGE_LENGTH))
            err = message_set_chunked(edit->message, &watch);
        if (!err)
            err = add_pass(tamper, i);
    }
    return err;
}

static bool is_end(const struct tamper *tamper, size_t step)
{
    const struct rule_action *action = tamper->steps[step].action;
    return action->kind == ACTION_DROP || action->kind == ACTION_RESET ||
           action->kind == ACTION_RESPOND;
}

/* True when the step can be done in the place of passing on. */
static bool can_end(struct tamper *tamper, size_t step)
{
    const struct rule_action *action = tamper->steps[step].action;
    if (action->kind != ACTION_RESPOND || !action->respond.saved.given ||
        saved_find(tamper->facts.saved, action->respond.saved.text))
        return true;
    note_failed(tamper, step, "not_saved", "no response was saved by that name so far");
    return false;
}

/* What becomes of the message if it does not pass on. */
static void find_end(struct tamper *tamper)
{
    for (size_t i = 0; tamper->end_step == TAMPER_NONE && i < tamper->count; i++) {
        bool here = tamper->facts.gathered || !rule_action_needs_whole(tamper->steps[i].action);
        if (is_end(tamper, i) && here && can_end(tamper, i))
            tamper->end_step = i;
    }
}

int tamper_edit(struct tamper *tamper, struct message *message, struct content *content)
{
    struct edit edit = {
        .tamper = tamper, .message = message, .content = content, .content_step = TAMPER_NONE};
    int err = 0;
    find_end(tamper);
    for (size_t i = 0; !err && i < tamper->count; i++) {
        edit.step = i;
        if (rule_action_needs_whole(tamper->steps[i].action) && !tamper->facts.gathered)
            note_failed(tamper, i, "event_stream", "a stream of events is not gathered");
        else
            err = edit_one(&edit);
    }
    edit.late = true;
    if (!err)
        err = put_content(&edit, content);
    if (!err)
        err = reframe_to_length(&edit);
    tamper->pass_framing = message->framing;
    if (!err && tamper->end_step == TAMPER_NONE)
        err = plan_pass(&edit);
    content_deinit(&edit.changed);
    buf_deinit(&edit.made);
    return err;
}

void tamper_note_late(struct tamper *tamper)
{
    struct buf *late = &tamper->late;
    size_t before = tamper->changes->len;
    if (late->len == 0)
        return;
    int err = before > 0 ? buf_append_char(tamper->changes, ',') : 0;
    if (!err)
        err = buf_append(tamper->changes, late->data, late->len);
    if (err)
        tamper->changes->len = before;
    buf_clear(late);
}

void tamper_note_body(struct tamper *tamper, size_t step, const struct change_body *old,
    const struct change_body *now)
{
    size_t of = tamper->body_step != TAMPER_NONE ? tamper->body_step : step;
    if (of != TAMPER_NONE && tamper->end_step == TAMPER_NONE) {
        struct change change = tamper_change(tamper, of);
        change_note_body(&change, old, now);
    }
    tamper_note_late(tamper);
}
