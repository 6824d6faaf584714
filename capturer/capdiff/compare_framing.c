/* How two bodies were framed (RFC 9112 §6): a length, chunks, or the connection's end. */
#include <stdio.h>

#include "capturer/capdiff/chunks.h"
#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"

static void add_framing(struct comparison *comparison, const char *what)
{
    struct slice before = comparison->view_before.body, after = comparison->view_after.body;
    size_t at = excerpt_first_difference(before, after);
    struct place_texts texts = {
        .value_before = before,
        .value_after = after,
        .shown_before = before,
        .shown_after = after,
        .at_before = at,
        .at_after = at,
    };

    comparison_add(comparison, PLACE_FRAMING, comparison->before->head_len + at, &texts,
        "%s %s (the content is the same), byte %zu", comparison_side(comparison), what, at);
}

void compare_framing(struct comparison *comparison, bool same_content)
{
    struct slice before = comparison->view_before.body, after = comparison->view_after.body;
    enum message_framing a = message_view_framing(&comparison->view_before, comparison->response);
    enum message_framing b = message_view_framing(&comparison->view_after, comparison->response);
    struct chunks x, y;
    char what[96];

    if (a == MESSAGE_CHUNKED && b == MESSAGE_CHUNKED && chunks_read(&x, before) &&
        chunks_read(&y, after)) {
        if (same_content && x.borders != y.borders)
            add_framing(comparison, "chunk borders");
        else if (same_content && x.spelling != y.spelling)
            add_framing(comparison, "chunk sizes, how they are written");
        compare_trailers(comparison, x.trailers, y.trailers);
    } else if (same_content && a != b) {
        snprintf(what, sizeof(what), "body framing, %s before and %s after",
            message_framing_text(a), message_framing_text(b));
        add_framing(comparison, what);
        if (a == MESSAGE_CHUNKED && chunks_read(&x, before))
            compare_trailers(comparison, x.trailers, slice_of(before.data, 0));
        if (b == MESSAGE_CHUNKED && chunks_read(&y, after))
            compare_trailers(comparison, slice_of(after.data, 0), y.trailers);
    } else if (same_content) {
        add_framing(comparison, "body framing");
    }
}
