#include "mitm_proxy/websocket_frames.h"

#include <string.h>

#define FIN 0x80
#define RESERVED 0x70
#define OPCODE 0x0f
#define OPCODE_CONTROL 0x08 /* close, ping and pong have this bit */
#define MASK 0x80
#define LENGTH 0x7f
#define LENGTH_16 126 /* the length stands in the 2 bytes that follow … */
#define LENGTH_64 127 /* … or in 8 */
#define CONTROL_MAX 125
#define HEADER_MIN 2
#define KEY_SIZE 4
#define CODE_SIZE 2

const char *const websocket_frame_names[WEBSOCKET_FRAMES] = {
    "text", "binary", "continuation", "close", "ping", "pong"};

static void begin_frame(struct websocket_frames *frames)
{
    frames->in_payload = false;
    frames->header_len = 0;
    frames->header_size = HEADER_MIN;
    frames->size = frames->taken = 0;
}

void websocket_frames_begin(struct websocket_frames *frames, bool masks, bool extended)
{
    *frames = (struct websocket_frames){
        .close_code = WEBSOCKET_NO_CODE, .masks = masks, .extended = extended};
    begin_frame(frames);
}

/* By the opcode; none where it is reserved. */
static const enum websocket_frame kinds[OPCODE + 1] = {
    WEBSOCKET_CONTINUATION,
    WEBSOCKET_TEXT,
    WEBSOCKET_BINARY,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_CLOSE,
    WEBSOCKET_PING,
    WEBSOCKET_PONG,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
    WEBSOCKET_FRAMES,
};

/* What the first two bytes do wrong, or NULL. */
static const char *problem_of_start(struct websocket_frames *frames)
{
    unsigned char first = frames->header[0], second = frames->header[1];
    bool control = first & OPCODE_CONTROL;
    frames->kind = kinds[first & OPCODE];
    if (frames->kind == WEBSOCKET_FRAMES)
        return "reserved_opcode";
    if ((first & RESERVED) && !frames->extended)
        return "reserved_bits";
    if (((second & MASK) != 0) != frames->masks)
        return "bad_mask";
    if (control && (!(first & FIN) || (second & LENGTH) > CONTROL_MAX))
        return "bad_control";
    if (!control && frames->counts[WEBSOCKET_CLOSE] > 0)
        return "after_close";
    if (!control && (frames->kind == WEBSOCKET_CONTINUATION) != frames->in_message)
        return "bad_continuation";
    if (frames->kind == WEBSOCKET_CLOSE && (second & LENGTH) == 1)
        return "bad_close";
    return NULL;
}

static size_t length_size(const struct websocket_frames *frames)
{
    unsigned char length = frames->header[1] & LENGTH;
    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

/* False: longer written than need be, or with the highest bit (§5.2). */
static bool read_length(struct websocket_frames *frames)
{
    size_t bytes = length_size(frames);
    frames->size = bytes == 0 ? frames->header[1] & LENGTH : 0;
    for (size_t i = 0; i < bytes; i++)
        frames->size = frames->size << 8 | frames->header[HEADER_MIN + i];
    uint64_t least = bytes == 8 ? UINT64_C(1) << 16 : bytes == 2 ? LENGTH_16 : 0;
    return frames->size >= least && frames->size >> 63 == 0;
}

static void end_frame(struct websocket_frames *frames)
{
    bool first_close = frames->kind == WEBSOCKET_CLOSE && frames->counts[WEBSOCKET_CLOSE] == 0;
    if (first_close && frames->size >= CODE_SIZE)
        frames->close_code = frames->code[0] << 8 | frames->code[1];
    if (!(frames->header[0] & OPCODE_CONTROL))
        frames->in_message = !(frames->header[0] & FIN);
    frames->counts[frames->kind]++;
    begin_frame(frames);
}

/* As many bytes of the header as are there, or are wanted. */
static size_t take_header(struct websocket_frames *frames, const char *data, size_t len)
{
    size_t wanted = frames->header_size - frames->header_len, n = len < wanted ? len : wanted;
    memcpy(frames->header + frames->header_len, data, n);
    frames->header_len += n;
    if (n < wanted)
        return n;
    if (frames->header_size == HEADER_MIN) {
        frames->stopped = problem_of_start(frames);
        frames->header_size += length_size(frames) + (frames->masks ? KEY_SIZE : 0);
        if (frames->header_size > HEADER_MIN)
            return n;
    }
    if (!frames->stopped && !read_length(frames))
        frames->stopped = "bad_length";
    frames->in_payload = true;
    return n;
}

/* The first bytes of a close frame are its code. */
static void read_code(struct websocket_frames *frames, const char *data, size_t len)
{
    const unsigned char *key = frames->header + frames->header_size - KEY_SIZE;
    for (uint64_t at = frames->taken; at < CODE_SIZE && len > 0; at++, data++, len--)
        frames->code[at] = (unsigned char)*data ^ (frames->masks ? key[at] : 0);
}

static size_t take_payload(struct websocket_frames *frames, const char *data, size_t len)
{
    uint64_t left = frames->size - frames->taken;
    size_t n = len < left ? len : (size_t)left;
    if (frames->kind == WEBSOCKET_CLOSE)
        read_code(frames, data, n);
    frames->taken += n;
    return n;
}

void websocket_frames_take(struct websocket_frames *frames, const char *data, size_t len)
{
    while (len > 0 && !frames->stopped) {
        size_t n =
            frames->in_payload ? take_payload(frames, data, len) : take_header(frames, data, len);
        data += n;
        len -= n;
        if (frames->in_payload && !frames->stopped && frames->taken == frames->size)
            end_frame(frames);
    }
}

void websocket_frames_end(struct websocket_frames *frames)
{
    if (!frames->stopped && (frames->in_payload || frames->header_len > 0))
        frames->stopped = "incomplete";
}
