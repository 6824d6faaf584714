/*
 * The bytes of a capture file, front to back: plain, or packed by gzip (RFC 1952) or zstd
 * (RFC 8878), which their first bytes tell; from a file, from standard input ("-"), or from memory.
 *
 * Reads with a big buffer, so that a packet costs no system call, and asks for nothing but the next
 * bytes, so that a pipe is as good as a file.
 */
#ifndef CAPDIFF_INPUT_H
#define CAPDIFF_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_WINDOW_MAX                                                                           \
    ((size_t)16 * 1024 * 1024) /* bytes that can be looked at in one piece                         \
                                */

struct unpacker;

/* Only input.c and the inline functions below look inside. */
struct input {
    const uint8_t *at, *end; /* what can be looked at now */
    const uint8_t *start;    /* the byte at offset BASE */
    uint64_t base;
    uint8_t *window; /* NULL: in memory */
    size_t window_size;
    int fd;    /* -1: in memory */
    bool over; /* nothing will be read any more */
    bool torn; /* packed data that ends before its end */
    const char *trouble;
    char words[64];
    const struct unpacker *unpacker; /* NULL: plain */
    void *unpacking;
    uint8_t *packed; /* as read, where an unpacker works on it */
    size_t packed_at, packed_end;
    bool packed_over;
};

/*
 * Opens PATH. 0, or with one sentence in ERR and nothing to close:
 *   UV_ENOENT  there is no such file
 *   UV_EOF     it is empty
 *   UV_EINVAL  it is a directory
 *   UV_E*      it could not be read
 */
int input_open(struct input *input, const char *path, char *err, size_t err_size);

/* DATA is borrowed, and taken as it is. */
void input_open_memory(struct input *input, const void *data, size_t len);
void input_close(struct input *input);

/* Slow half of input_want. */
size_t input_fill(struct input *input, size_t len);

/*
 * How many bytes can be looked at from input->at on: at least LEN (INPUT_WINDOW_MAX at most),
 * unless the end comes before. What was looked at before may move.
 */
static inline size_t input_want(struct input *input, size_t len)
{
    size_t there = (size_t)(input->end - input->at);

    return there >= len ? there : input_fill(input, len);
}

/* Goes on behind the next LEN bytes, which input_want has shown to be there. */
static inline void input_took(struct input *input, size_t len)
{
    input->at += len;
}

/* Goes on behind the next LEN bytes, however many. False: the end came first. */
bool input_skip(struct input *input, uint64_t len);

/* Where the next byte stands, counted in unpacked bytes. */
uint64_t input_offset(const struct input *input);

/* Moves to OFFSET of a plain file or of memory. False: not possible here. */
bool input_seek(struct input *input, uint64_t offset);

/* Bytes of a plain file; 0: it is none. */
uint64_t input_size(const struct input *input);

/* True where input_seek works. */
bool input_can_seek(const struct input *input);

/* Why the end came before the end of the file; NULL: it is the end. Valid once the end came. */
const char *input_trouble(const struct input *input);

/* The trouble is only that the file ends too early. */
bool input_is_torn(const struct input *input);

#endif
