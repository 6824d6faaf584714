#include "tests/fuzz/script.h"

#include <string.h>

#include "tests/fuzz/fuzz.h"

#define KIB_MAX 300         /* of one order */
#define SENT_MAX (1U << 20) /* bytes of fillers that one peer sends */

struct slice script_next(struct slice *script)
{
    const char *bar = script->len > 0 ? memchr(script->data, '|', script->len) : NULL;
    size_t len = bar ? (size_t)(bar - script->data) : script->len;
    struct slice record = slice_of(script->data, len);
    len += bar != NULL;
    *script = slice_of(script->data + len, script->len - len);
    return record;
}

uint64_t script_number(struct slice bytes, uint64_t max, uint64_t otherwise)
{
    uint64_t value = 0;
    if (bytes.len == 0 || bytes.data[0] < '0' || bytes.data[0] > '9')
        return otherwise;
    for (size_t i = 0; i < bytes.len && bytes.data[i] >= '0' && bytes.data[i] <= '9'; i++)
        if (value <= max)
            value = value * 10 + (uint64_t)(bytes.data[i] - '0');
    return value < max ? value : max;
}

static void send_kib(struct fake_socket *socket, uint64_t kib)
{
    static char filler[1024];
    memset(filler, 'x', sizeof filler);
    for (; kib > 0 && socket->in.len < SENT_MAX; kib--)
        PROMISE(fake_socket_send(socket, filler, sizeof filler));
}

static void give_room(struct fake_socket *socket, uint64_t bytes)
{
    socket->room = bytes > SIZE_MAX - socket->room ? SIZE_MAX : socket->room + bytes;
}

void script_act(struct fake_socket *socket, char letter, struct slice rest)
{
    if (!socket || !socket->connected)
        return;
    bool ended = socket->in_fin || socket->in_error;
    switch (letter) {
    case 'c':
        if (!ended)
            PROMISE(rest.len == 0 || fake_socket_send(socket, rest.data, rest.len));
        break;
    case 'C':
        if (!ended)
            send_kib(socket, script_number(rest, KIB_MAX, 1));
        break;
    case 'e':
        socket->in_fin = true;
        break;
    case 'r':
        socket->in_error = UV_ECONNRESET;
        socket->out_error = UV_EPIPE;
        break;
    case 's':
        socket->room = 0;
        break;
    case 'w':
        give_room(socket, script_number(rest, 1 << 20, SIZE_MAX));
        break;
    case 'a':
        socket->out_error = UV_EPIPE;
        break;
    }
}
