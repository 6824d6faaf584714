#include "capturer/capdiff/story.h"

#include <stdlib.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/log_record.h"
#include "capturer/capdiff/memory.h"

#define SHOWN_MAX ((size_t)120)

static void append_shown(struct buf *out, struct slice text)
{
    char *shown = excerpt_text(text, SHOWN_MAX);

    memory_need(buf_append_str(out, shown != NULL ? shown : ""));
    free(shown);
}

static const char *side_of(const struct log_change *change)
{
    return change->response ? "response" : "request";
}

static void append_author(struct buf *out, const struct log_change *change)
{
    if (change->rule == NULL) {
        memory_need(buf_append_str(out, "an option: "));
        return;
    }
    memory_need(buf_append_str(out, "rule \""));
    append_shown(out, slice_str(change->rule));
    memory_need(buf_append_str(out, "\": "));
}

static void append_side(struct buf *out, const struct log_change *change, bool after)
{
    char *shown = log_change_shown(change, after, SHOWN_MAX);

    memory_need(buf_append_str(out, shown != NULL ? shown : ""));
    free(shown);
}

/* A value or a field, and what became of it. */
static void append_value(struct buf *out, const struct log_change *change)
{
    bool value = change->kind == LOG_CHANGE_JSON;

    memory_need(buf_printf(out, "%s %s ", side_of(change), value ? "value" : "field"));
    append_shown(out, value && change->name.len == 0 ? slice_str("(all of it)") : change->name);
    memory_need(buf_append_str(out, change->before.data == NULL ? " added: " : ": "));
    append_side(out, change, change->before.data == NULL);
    if (change->after.data == NULL)
        memory_need(buf_append_str(out, ", removed"));
    if (change->before.data == NULL || change->after.data == NULL)
        return;
    memory_need(buf_append_str(out, " became "));
    append_side(out, change, true);
}

static void append_target(struct buf *out, const struct log_change *change)
{
    memory_need(buf_append_str(out, "request target: "));
    append_shown(out, change->before);
    memory_need(buf_append_str(out, " became "));
    append_shown(out, change->after);
}

/* How long the message was in the proxy: to its first byte, or, where THROUGHOUT, to its last. */
static uint64_t kept_ns(
    const struct crossing *crossing, const struct log_change *change, bool throughout)
{
    const struct exchange *client = crossing->at[VIEW_CLIENT_LEG];
    const struct exchange *upstream = crossing->at[VIEW_UPSTREAM_LEG];
    uint64_t from_ns, to_ns;

    if (client == NULL || upstream == NULL)
        return 0;
    from_ns = change->response ? upstream->response.first_ns : client->request.first_ns;
    to_ns = change->response ? (throughout ? client->response.last_ns : client->response.first_ns)
            : throughout     ? upstream->request.last_ns
                             : upstream->request.first_ns;
    return from_ns != 0 && to_ns > from_ns ? to_ns - from_ns : 0;
}

static void append_wait(
    struct buf *out, const struct crossing *crossing, const struct log_change *change)
{
    static const char *const texts[] = {[LOG_CHANGE_DELAY] = "delayed by",
        [LOG_CHANGE_STALL] = "stalled in the middle for",
        [LOG_CHANGE_HOLD] = "held for",
        [LOG_CHANGE_REORDER] = "held until another had overtaken it, for",
        [LOG_CHANGE_THROTTLE] = "slowed down to"};
    bool throughout = change->kind == LOG_CHANGE_STALL || change->kind == LOG_CHANGE_THROTTLE;
    uint64_t took_ns = kept_ns(crossing, change, throughout);

    memory_need(buf_printf(out, "%s %s %llu %s", side_of(change), texts[change->kind],
        (unsigned long long)change->numbers[0],
        change->kind == LOG_CHANGE_THROTTLE ? "bytes per second" : "ms"));
    if (took_ns > 0)
        memory_need(buf_printf(out, " (the wire: %.1f ms in the proxy)", (double)took_ns / 1e6));
}

static void append_body(struct buf *out, const struct log_change *change)
{
    memory_need(buf_printf(out, "%s body changed by %s: %llu bytes became %llu", side_of(change),
        change->action, (unsigned long long)change->numbers[0],
        (unsigned long long)change->numbers[1]));
}

static void append_framing(struct buf *out, const struct log_change *change)
{
    enum message_framing was = (enum message_framing)change->numbers[0];
    enum message_framing is = (enum message_framing)change->numbers[1];

    if (was == is)
        memory_need(buf_printf(out, "%s framing: other chunks", side_of(change)));
    else
        memory_need(buf_printf(out, "%s framing: %s became %s", side_of(change),
            message_framing_text(was), message_framing_text(is)));
}

static void append_respond(struct buf *out, const struct log_change *change)
{
    if (change->response && change->numbers[0] != 0)
        memory_need(buf_printf(out, "answered with %llu in the place of the server's %llu",
            (unsigned long long)change->numbers[1], (unsigned long long)change->numbers[0]));
    else
        memory_need(buf_printf(out, "answered with %llu, and the server was not asked",
            (unsigned long long)change->numbers[1]));
}

static void append_ending(struct buf *out, const struct log_change *change)
{
    static const char *const resets[] = {
        "both connections", "the client's connection", "the upstream connection"};

    if (change->kind == LOG_CHANGE_RESET)
        memory_need(buf_printf(out, "%s reset", resets[change->numbers[0]]));
    else
        memory_need(buf_append_str(out, change->response ? "response dropped: the client got none"
                                                         : "request dropped: it went no further"));
}

static void append_copies(struct buf *out, const struct log_change *change)
{
    unsigned long long number = change->numbers[0];

    if (change->kind == LOG_CHANGE_DUPLICATE)
        memory_need(buf_printf(out, "%s sent twice", side_of(change)));
    else if (change->kind == LOG_CHANGE_COPY)
        memory_need(buf_printf(out, "the proxy's own copy of exchange %llu", number));
    else
        memory_need(
            buf_printf(out, "request sent again, %llu time%s", number, number == 1 ? "" : "s"));
    if (change->kind == LOG_CHANGE_REPLAY && change->numbers[1] > 0)
        memory_need(
            buf_printf(out, ", each after %llu ms", (unsigned long long)change->numbers[1]));
}

static void append_failed(struct buf *out, const struct log_change *change)
{
    memory_need(buf_append_str(out, side_of(change)));
    memory_need(buf_printf(out, ", %s was not done: ", change->action));
    append_shown(out, change->after);
}

static void append_kept(struct buf *out, const struct log_change *change)
{
    memory_need(buf_printf(out, "%s kept as \"", side_of(change)));
    append_shown(out, change->after);
    memory_need(buf_append_str(out, "\""));
}

void story_append(const struct crossing *crossing, const struct log_change *change, struct buf *out)
{
    if (change->kind == LOG_CHANGE_UNKNOWN) {
        memory_need(buf_append_str(out, "a change that cannot be understood"));
        return;
    }
    append_author(out, change);
    switch (change->kind) {
    case LOG_CHANGE_BODY:
        append_body(out, change);
        break;
    case LOG_CHANGE_FRAMING:
        append_framing(out, change);
        break;
    case LOG_CHANGE_RESPOND:
        append_respond(out, change);
        break;
    case LOG_CHANGE_DROP:
    case LOG_CHANGE_RESET:
        append_ending(out, change);
        break;
    case LOG_CHANGE_REPLAY:
    case LOG_CHANGE_DUPLICATE:
    case LOG_CHANGE_COPY:
        append_copies(out, change);
        break;
    case LOG_CHANGE_SAVE:
        append_kept(out, change);
        break;
    case LOG_CHANGE_FAILED:
        append_failed(out, change);
        break;
    case LOG_CHANGE_JSON:
    case LOG_CHANGE_FIELD:
        append_value(out, change);
        break;
    case LOG_CHANGE_TARGET:
        append_target(out, change);
        break;
    default:
        append_wait(out, crossing, change);
        break;
    }
}

uint64_t story_count(const struct evidence *evidence)
{
    uint64_t count = 0;

    for (size_t i = 0; i < evidence->count; i++) {
        const struct log_record *record = evidence->crossings[i].record;

        count += record != NULL ? record->n_changes : 0;
    }
    return count;
}

void story_each(const struct evidence *evidence, uint64_t max, story_cb tell, void *arg)
{
    uint64_t told = 0;

    for (size_t i = 0; i < evidence->count && told < max; i++) {
        const struct crossing *crossing = &evidence->crossings[i];
        const struct log_record *record = crossing->record;

        for (size_t k = 0; record != NULL && k < record->n_changes && told < max; k++, told++) {
            struct buf sentence;

            buf_init(&sentence, STORY_MAX);
            story_append(crossing, &record->changes[k], &sentence);
            tell(arg, crossing, &record->changes[k], &sentence);
            buf_deinit(&sentence);
        }
    }
}
