#include "capturer/capdiff/redaction.h"

#include <stdint.h>
#include <stdio.h>

#include "capturer/capdiff/excerpt.h"
#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/message_view.h"

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

char *redaction_excerpt(struct slice text, size_t at, bool head)
{
    struct buf copy;
    char *shown;

    if (text.data == NULL || hiding->off || (!head && !redact_hides_values(hiding)))
        return excerpt_around(text, at);
    buf_init(&copy, SIZE_MAX);
    memory_need(buf_append(&copy, text.data, text.len));
    if (head)
        redact_mask_head(hiding, copy.data, copy.len);
    else
        redact_mask_json(hiding, copy.data, copy.len);
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

static void mask_message(struct message *message, bool response)
{
    struct message_view view;

    if (message->raw.len == 0)
        return;
    message_view_open(&view, message, response);
    if (redact_hides_values(hiding))
        mask_body(message, &view);
    redact_mask_head(hiding, message->raw.data, view.head.len);
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
