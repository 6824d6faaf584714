/* One hop of one exchange: what went in against what came out. */
#include <string.h>

#include "capturer/capdiff/verdict_state.h"

#define POINTER_MAX 1024

/* Who judges a difference: the options, and what the log declares for the hop in the proxy. */
struct judge {
    const struct option_list *ignore;
    struct declared *declared; /* NULL: what the log says is no matter here */
};

/* The pointer itself, or something beneath it. */
static bool is_at_or_below(struct slice pointer, const char *top)
{
    size_t len = strlen(top);

    return pointer.len >= len && memcmp(pointer.data, top, len) == 0 &&
           (pointer.len == len || pointer.data[len] == '/');
}

static bool is_ignored(const struct option_list *ignore, enum place_kind kind, struct slice name)
{
    for (size_t i = 0; i < ignore->count && name.data != NULL; i++) {
        const char *item = ignore->items[i];

        if (kind == PLACE_JSON && item[0] == '/' && is_at_or_below(name, item))
            return true;
        if ((kind == PLACE_FIELD || kind == PLACE_FIELD_ORDER || kind == PLACE_TRAILER) &&
            item[0] != '/' && slice_is_nocase(name, item))
            return true;
    }
    return false;
}

static enum place_standing judge_place(void *arg, enum place_kind kind, bool response,
    struct slice name, struct slice before, struct slice after)
{
    const struct judge *judge = arg;

    if (judge->declared != NULL &&
        declared_covers(judge->declared, kind, response, name, before, after))
        return STANDING_DECLARED;
    return is_ignored(judge->ignore, kind, name) ? STANDING_IGNORED : STANDING_REAL;
}

static void compare(struct court *court, struct case_state *state, enum hop hop, bool response,
    const struct message *before, const struct message *after)
{
    struct judge judge = {court->ignore, hop == HOP_PROXY ? &state->declared : NULL};
    struct findings *findings = court->findings;
    struct compare_terms terms = {.judge = judge_place,
        .arg = &judge,
        .patch_max = findings_patch_room(findings),
        .counting = findings_full(findings)};
    struct places places;

    if (message_equal(before, after))
        return;
    compare_messages(before, after, response, &terms, &places);
    for (size_t i = 0; i < places.count; i++) {
        if (places.items[i].standing == STANDING_REAL)
            findings_add(findings, FINDING_CHANGED, hop, state->crossing, &places.items[i]);
        else if (places.items[i].standing == STANDING_DECLARED)
            findings->declared++;
        else
            findings->ignored++;
    }
    findings->total += places.more;
    findings->per_hop[hop] += places.more;
    places_deinit(&places);
}

/* At least one of the two is not whole: does what there is agree? */
static void compare_partial(struct court *court, struct case_state *state, enum hop hop,
    bool response, const struct message *before, const struct message *after, bool sure)
{
    bool alike = before->len <= after->len ? message_is_prefix(before, after)
                                           : message_is_prefix(after, before);

    if (!alike && !before->gap && !after->gap && before->state != MESSAGE_NONE &&
        after->state != MESSAGE_NONE) {
        compare(court, state, hop, response, before, after);
        return;
    }
    if (sure && before->state == MESSAGE_WHOLE && after->state == MESSAGE_PARTIAL &&
        after->finished && after->problem == NULL && !after->gap) {
        findings_say(court->findings, FINDING_CUT, hop, state->crossing,
            response ? "response, cut short and then closed as if it were whole"
                     : "request, cut short and then closed as if it were whole");
        return;
    }
    state->incomplete = true;
}

void verdict_hop(struct court *court, struct case_state *state, enum hop hop, enum view near)
{
    const struct exchange *a = state->crossing->at[near], *b = state->crossing->at[near + 1];
    bool sure = connection_is_sure(a->connection) && connection_is_sure(b->connection);

    if (hop == HOP_PROXY)
        declared_init(&state->declared, state->crossing->record);
    for (int response = 0; response < 2; response++) {
        /* Requests go from near to far, responses come back. */
        const struct message *before = response ? &b->response : &a->request;
        const struct message *after = response ? &a->response : &b->request;

        if (hop == HOP_PROXY && before->state == MESSAGE_WHOLE && after->state == MESSAGE_WHOLE)
            declared_look_up(&state->declared, response != 0, before, after);
        if (before->state == MESSAGE_WHOLE && after->state == MESSAGE_WHOLE)
            compare(court, state, hop, response != 0, before, after);
        else
            compare_partial(court, state, hop, response != 0, before, after, sure);
    }
    if (hop == HOP_PROXY) {
        declared_say_rest(&state->declared, court->findings, state->crossing);
        declared_deinit(&state->declared);
    }
}
