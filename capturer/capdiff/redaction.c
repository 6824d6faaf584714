#include "capturer/capdiff/redaction.h"

#include <stdint.h>
#include <stdio.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_view.h"
#include "lib/chunks.h"

static const struct redact nothing = {.off = true};
static const struct redact *hiding = &nothing;

void redaction_begin(const struct redact *redact)
{
    hiding = redact;
}

bool redaction_hides_field(struct slice name)
{
    return redact_hides_field(hiding, name);
}

bool redaction_hides_value(struct slice pointer)
{
    return redact_hides_value(hiding, pointer);
}

char *redaction_words(struct slice text)
{
    char words[64];

    snprintf(words, sizeof(words), "[redacted %zu bytes]", text.len);
    return text.data != NULL ? memory_copy(words) : NULL;
}

char *redaction_excerpt(struct slice text, size_t at, enum redaction_part part)
{
    bool fields = part != REDACTION_CONTENT;
    bool values = part != REDACTION_HEAD && redact_hides_values(hiding);
    struct buf copy;
    char *shown;

    if (text.data == NULL || hiding->off || (!fields && !values))
        return excerpt_around(text, at);
    buf_init(&copy, SIZE_MAX);
    memory_need(buf_append(&copy, text.data, text.len));
    if (values)
        redact_mask_json(hiding, copy.data, copy.len);
    if (fields)
        redact_mask_head(hiding, copy.data, copy.len);
    shown = excerpt_around(slice_of(copy.data != NULL ? copy.data : "", copy.len), at);
    buf_deinit(&copy);
    return shown;
}

/* The stars of CONTENT go where these bytes stand in the message, chunks between them or not. */
static void mask_body(struct message *message, const struct message_view *view)
{
    struct buf content;

    buf_init(&content, SIZE_MAX);
    memory_need(buf_append(&content, view->content.data, view->content.len));
    redact_mask_json(hiding, content.data, content.len);
    for (size_t i = 0; i < content.len; i++) {
        uint64_t at;

        if (content.data[i] == view->content.data[i])
            continue;
        at = message_view_offset(view, i);
        if (at < message->raw.len)
            message->raw.data[at] = '*';
    }
    buf_deinit(&content);
}

/* It was read as HTTP from its first byte to its last: fields are where they belong. */
static bool is_read(const struct message *message)
{
    return message->state == MESSAGE_WHOLE && message->head_len > 0 && message->problem == NULL &&
           !message->gap;
}

/* How much of the message's end is field lines behind the last chunk. */
static size_t trailers_len(const struct message_view *view, bool response)
{
    struct slice rest = view->body;
    struct chunk chunk = {.size = 1};

    if (message_view_framing(view, response) != MESSAGE_CHUNKED)
        return 0;
    while (chunk.size > 0 && chunks_next(&rest, &chunk))
        ;
    return chunk.size == 0 ? rest.len : 0;
}

/* Where it is not certain what is a field, every line may be one. */
static void mask_fields(struct message *message, const struct message_view *view, bool response)
{
    struct buf *raw = &message->raw;
    size_t trailers;

    if (!is_read(message)) {
        redact_mask_head(hiding, raw->data, raw->len);
        return;
    }
    trailers = trailers_len(view, response);
    redact_mask_head(hiding, raw->data, view->head.len);
    redact_mask_head(hiding, raw->data + raw->len - trailers, trailers);
}

static void mask_message(struct message *message, bool response)
{
    struct message_view view;

    if (message->raw.len == 0)
        return;
    message_view_open(&view, message, response);
    if (redact_hides_values(hiding))
        mask_body(message, &view);
    mask_fields(message, &view, response);
    message_view_close(&view);
}

void redaction_mask(struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->count && !hiding->off; i++) {
        for (int view = 0; view < VIEWS; view++) {
            /* It is the evidence's own, and nobody compares it any more. */
            struct exchange *exchange =
                (struct exchange *)(uintptr_t)evidence->crossings[i].at[view];

            if (exchange == NULL)
                continue;
            mask_message(&exchange->request, false);
            mask_message(&exchange->response, true);
        }
    }
}
