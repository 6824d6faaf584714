/* How two bodies were framed (RFC 9112 §6): a length, chunks, or the connection's end. */
#include <stdio.h>

#include "capturer/capdiff/chunks.h"
#include "capturer/capdiff/compare_state.h"
#include "capturer/capdiff/excerpt.h"

enum framing {
    FRAMING_CHUNKED,
    FRAMING_LENGTH,
    FRAMING_END,
};

static const char *framing_text(enum framing framing)
{
    static const char *const texts[] = {"chunked", "Content-Length", "the connection's end"};

    return texts[framing];
}

/* The last head's fields tell: lib/http_parser refuses what two readers may frame differently. */
static enum framing framing_of(const struct message_view *view)
{
    if (message_view_field(view, "Transfer-Encoding").data != NULL)
        return FRAMING_CHUNKED;
    return message_view_field(view, "Content-Length").data != NULL ? FRAMING_LENGTH : FRAMING_END;
}

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
    enum framing a = framing_of(&comparison->view_before);
    enum framing b = framing_of(&comparison->view_after);
    struct chunks x, y;
    char what[96];

    if (a == FRAMING_CHUNKED && b == FRAMING_CHUNKED && chunks_read(&x, before) &&
        chunks_read(&y, after)) {
        if (same_content && x.borders != y.borders)
            add_framing(comparison, "chunk borders");
        else if (same_content && x.spelling != y.spelling)
            add_framing(comparison, "chunk sizes, how they are written");
        compare_trailers(comparison, x.trailers, y.trailers);
    } else if (same_content && a != b) {
        snprintf(what, sizeof(what), "body framing, %s before and %s after", framing_text(a),
            framing_text(b));
        add_framing(comparison, what);
        if (a == FRAMING_CHUNKED && chunks_read(&x, before))
            compare_trailers(comparison, x.trailers, slice_of(before.data, 0));
        if (b == FRAMING_CHUNKED && chunks_read(&y, after))
            compare_trailers(comparison, slice_of(after.data, 0), y.trailers);
    } else if (same_content) {
        add_framing(comparison, "body framing");
    }
}
