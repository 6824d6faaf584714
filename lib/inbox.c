#include "lib/inbox.h"

#include <stdlib.h>

#include "lib/stream.h"

#define KEPT_MAX (64UL * 1024) /* bytes: with more of them there is no room for the next read */

int inbox_init(struct inbox *inbox)
{
    *inbox = (struct inbox){.bytes = malloc(KEPT_MAX + STREAM_READ_MAX)};
    return inbox->bytes ? 0 : UV_ENOMEM;
}

void inbox_deinit(struct inbox *inbox)
{
    free(inbox->bytes);
    inbox->bytes = NULL;
}

char *inbox_room(const struct inbox *inbox)
{
    return inbox->bytes + inbox->used;
}

void inbox_take(struct inbox *inbox, struct stream *stream, ssize_t got)
{
    inbox->reads[inbox->count++] = (struct inbox_read){stream, inbox->used, got};
    if (got > 0)
        inbox->used += (size_t)got;
    if (got > INBOX_SMALL_MAX || inbox->used > KEPT_MAX || inbox->count == INBOX_READS_MAX)
        inbox_deliver(inbox);
}

static void deliver_reads(struct inbox *inbox)
{
    for (size_t i = 0; i < inbox->count; i++) {
        const struct inbox_read *read = &inbox->reads[i];
        if (read->stream)
            stream_take(read->stream, inbox->bytes + read->at, read->got);
    }
    inbox->count = 0;
    inbox->used = 0;
}

static void deliver_resumed(struct inbox *inbox)
{
    struct stream *stream;
    while ((stream = inbox->resumed)) {
        inbox->resumed = stream->next_resumed;
        stream->resumes = false;
        stream_take_unread(stream);
    }
}

void inbox_deliver(struct inbox *inbox)
{
    do {
        deliver_resumed(inbox);
        deliver_reads(inbox);
    } while (inbox->resumed);
}

void inbox_resume(struct inbox *inbox, struct stream *stream)
{
    if (stream->resumes)
        return;
    stream->resumes = true;
    stream->next_resumed = inbox->resumed;
    inbox->resumed = stream;
}

void inbox_forget(struct inbox *inbox, struct stream *stream)
{
    struct stream **link = &inbox->resumed;
    while (*link && *link != stream)
        link = &(*link)->next_resumed;
    if (*link)
        *link = stream->next_resumed;
    for (size_t i = 0; i < inbox->count; i++)
        if (inbox->reads[i].stream == stream)
            inbox->reads[i].stream = NULL;
}
