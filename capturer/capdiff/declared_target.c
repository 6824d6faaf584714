/* The target of a request to a forward proxy, and what the origin is asked for (RFC 9112 §3.2). */
#include <string.h>

#include "capturer/capdiff/declared_state.h"
#include "capturer/capdiff/excerpt.h"

#define SHOWN_MAX ((size_t)200)

/* A request line in its parts; what is none has no target. */
struct request_line {
    struct slice method, target, version;
};

static struct request_line split(struct slice line)
{
    struct request_line parts = {line, {NULL, 0}, {NULL, 0}};
    const char *first = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
    const char *last = line.len > 0 ? memrchr(line.data, ' ', line.len) : NULL;

    if (first == last)
        return parts;
    parts.method.len = (size_t)(first - line.data);
    parts.target = slice_of(first + 1, (size_t)(last - first) - 1);
    parts.version = slice_of(last, (size_t)(line.data + line.len - last));
    return parts;
}

/* The head's first line that is not empty (RFC 9112 §2.2). */
static struct slice target_of(const struct message_view *view)
{
    struct slice head = view->head;
    const char *end;

    while (head.len > 0 && (head.data[0] == '\r' || head.data[0] == '\n'))
        head = slice_of(head.data + 1, head.len - 1);
    end = head.len > 0 ? memchr(head.data, '\n', head.len) : NULL;
    return split(slice_of(head.data, end != NULL ? (size_t)(end - head.data) : head.len)).target;
}

void declared_follow_target(struct declared *declared, const struct declared_message *before,
    const struct declared_message *after)
{
    struct slice was = target_of(&before->view), is = target_of(&after->view);

    for (size_t i = 0; i < declared->record->n_changes; i++) {
        const struct log_change *change = &declared->record->changes[i];
        struct declared_change *state = &declared->changes[i];

        if (change->kind != LOG_CHANGE_TARGET)
            continue;
        state->followed = true;
        state->failed = !slice_equal(was, change->before) || !slice_equal(is, change->after);
        state->before = excerpt_text(was, SHOWN_MAX);
        state->after = excerpt_text(is, SHOWN_MAX);
    }
}

bool declared_covers_target(
    const struct declared *declared, struct slice before, struct slice after)
{
    struct request_line was = split(before), is = split(after);

    for (size_t i = 0; i < declared->record->n_changes; i++) {
        if (declared->record->changes[i].kind == LOG_CHANGE_TARGET &&
            declared->changes[i].followed && !declared->changes[i].failed)
            return slice_equal(was.method, is.method) && slice_equal(was.version, is.version);
    }
    return false;
}
