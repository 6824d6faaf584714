/*
 * HTTP: two streams of any bytes, in runs of any length, with gaps and ends. Where nothing is
 * missing, the same bytes one by one must come to the same exchanges.
 *
 * Input: records of a kind (bit 0: the side; above: 0 to 5 data, 6 a gap, 7 the end), a length
 * (2 bytes), and for data the bytes.
 */
#include <string.h>

#include "capturer/capdiff/exchanges.h"
#include "tests/fuzz/fuzz.h"

#define RECORD 3
#define KEEP ((size_t)16 * 1024 * 1024)

struct play {
    struct exchanges_shared shared;
    struct exchanges http;
    uint32_t next[2];
    bool ended[2];
};

static void play_init(struct play *play, bool late)
{
    memset(play, 0, sizeof(*play));
    exchanges_shared_init(&play->shared, KEEP);
    exchanges_init(&play->http, NULL, &play->shared, late);
}

static void play_deinit(struct play *play)
{
    exchanges_deinit(&play->http);
    exchanges_shared_deinit(&play->shared);
}

static void say(struct play *play, int side, const uint8_t *data, size_t len, size_t step)
{
    for (size_t at = 0; at < len; at += step) {
        size_t part = len - at < step ? len - at : step;
        struct tcp_run run = {data + at, part, 1, play->next[side], play->next[!side], at == 0, 0};

        exchanges_data(&play->http, side, &run);
        play->next[side] += (uint32_t)part;
    }
}

/* True if nothing was missing. */
static bool perform(struct play *play, const uint8_t *data, size_t len, size_t step)
{
    bool whole = true;

    while (len >= RECORD) {
        int side = data[0] & 1, kind = data[0] >> 1 & 7;
        size_t size = (size_t)data[1] << 8 | data[2];

        data += RECORD;
        len -= RECORD;
        if (play->ended[side])
            continue;
        if (kind == 7) {
            play->ended[side] = true;
            exchanges_fin(&play->http, side);
        } else if (kind == 6 && size > 0) {
            whole = false;
            play->next[side] += (uint32_t)size;
            exchanges_gap(&play->http, side, size);
        } else if (kind < 6) {
            size = size < len ? size : len;
            say(play, side, data, size, step > 0 ? step : size);
            data += size;
            len -= size;
        }
    }
    exchanges_finish(&play->http);
    return whole;
}

static void check_message(const struct message *message)
{
    char raw[SHA256_HEX_SIZE], content[SHA256_HEX_SIZE];

    PROMISE(message->raw.len <= message->len);
    PROMISE(message->head_len <= message->len);
    PROMISE(message->state != MESSAGE_WHOLE || message->raw.len == message->len);
    if (message->state == MESSAGE_NONE)
        return;
    PROMISE(strlen(message_raw_sha256(message, raw)) == SHA256_HEX_SIZE - 1);
    PROMISE(strlen(message_content_sha256(message, content)) == SHA256_HEX_SIZE - 1);
}

static void check_same(const struct message *a, const struct message *b)
{
    char of_a[SHA256_HEX_SIZE], of_b[SHA256_HEX_SIZE];

    PROMISE(a->state == b->state && a->len == b->len && a->head_len == b->head_len);
    PROMISE((a->problem == NULL) == (b->problem == NULL));
    PROMISE(message_equal(a, b));
    if (a->problem == NULL)
        PROMISE(strcmp(message_content_sha256(a, of_a), message_content_sha256(b, of_b)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct play whole, split;
    bool late = len > 0 && (data[0] & 0x80) != 0;
    bool comparable;

    play_init(&whole, late);
    comparable = perform(&whole, data, len, 0) && !late;
    for (size_t i = 0; i < whole.http.count; i++) {
        check_message(&whole.http.items[i]->request);
        check_message(&whole.http.items[i]->response);
    }
    if (comparable) {
        play_init(&split, late);
        (void)perform(&split, data, len, 1);
        PROMISE(split.http.count == whole.http.count);
        for (size_t i = 0; i < whole.http.count; i++) {
            const struct exchange *a = whole.http.items[i], *b = split.http.items[i];

            check_same(&a->request, &b->request);
            check_same(&a->response, &b->response);
            PROMISE(a->status == b->status && a->tunnel == b->tunnel);
        }
        play_deinit(&split);
    }
    play_deinit(&whole);
    return 0;
}
