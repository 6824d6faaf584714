#include "mitm_proxy/saved.h"

#include <stdlib.h>
#include <uv.h>

static void free_response(struct saved_response *response)
{
    if (!response)
        return;
    message_deinit(&response->message);
    free(response->name);
    free(response);
}

static struct saved_response *copy_response(
    struct slice name, const struct message *message, int status)
{
    struct saved_response *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    message_init(&copy->message, SAVED_BYTES_MAX);
    copy->status = status;
    copy->name = strndup(name.data, name.len);
    int err = message_begin(
        &copy->message, slice_of(message->head.data, message->head.len), message->framing);
    if (!err)
        err = message_append(&copy->message, slice_of(message->body.data, message->body.len));
    if (!copy->name || err) {
        free_response(copy);
        return NULL;
    }
    return copy;
}

static size_t find(const struct saved *saved, struct slice name)
{
    size_t i = 0;
    while (i < saved->count && !slice_is(name, saved->list[i]->name))
        i++;
    return i;
}

int saved_put(struct saved *saved, struct slice name, const struct message *message, int status)
{
    size_t i = find(saved, name);
    if (i == SAVED_MAX || message->body.len > SAVED_BYTES_MAX)
        return UV_ENOBUFS;
    struct saved_response *copy = copy_response(name, message, status);
    if (!copy)
        return UV_ENOMEM;
    if (i == saved->count)
        saved->count++;
    else
        free_response(saved->list[i]);
    saved->list[i] = copy;
    return 0;
}

struct saved_response *saved_find(const struct saved *saved, struct slice name)
{
    size_t i = find(saved, name);
    return i < saved->count ? saved->list[i] : NULL;
}

void saved_deinit(struct saved *saved)
{
    for (size_t i = 0; i < saved->count; i++)
        free_response(saved->list[i]);
    saved->count = 0;
}
