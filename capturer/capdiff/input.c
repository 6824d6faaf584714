#include "capturer/capdiff/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/unpack.h"

#define WINDOW_SIZE ((size_t)1024 * 1024)

void input_open_memory(struct input *input, const void *data, size_t len)
{
    memset(input, 0, sizeof(*input));
    input->start = input->at = data;
    input->end = input->at + len;
    input->fd = -1;
    input->over = true;
}

static void window_empty(struct input *input, uint64_t offset)
{
    input->start = input->at = input->end = input->window;
    input->base = offset;
    input->over = false;
}

static void window_new(struct input *input)
{
    input->window = memory_new(1, WINDOW_SIZE);
    input->window_size = WINDOW_SIZE;
    window_empty(input, 0);
}

void input_close(struct input *input)
{
    if (input->unpacker != NULL)
        input->unpacker->close(input->unpacking);
    if (input->fd > STDIN_FILENO)
        (void)close(input->fd);
    free(input->window);
    free(input->packed);
    memset(input, 0, sizeof(*input));
    input->fd = -1;
}

/* Reads what is there, MAX bytes at most; 0 at the end, also where reading fails. */
static size_t read_some(struct input *input, uint8_t *data, size_t max)
{
    ssize_t got;

    do
        got = read(input->fd, data, max);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        snprintf(input->words, sizeof(input->words), "reading it failed: %s",
            uv_strerror(uv_translate_sys_error(errno)));
        input->trouble = input->words;
    }
    return got > 0 ? (size_t)got : 0;
}

/* Unpacks into DATA, MAX bytes at most; 0 at the end, also where that is none. */
static size_t unpack_some(struct input *input, uint8_t *data, size_t max)
{
    struct unpack_step step = {.out = data, .out_len = max, .whole = input->packed_over};

    while (step.out_len == max && input->trouble == NULL && !input->torn) {
        if (input->packed_at == input->packed_end) {
            input->packed_at = 0;
            input->packed_end = read_some(input, input->packed, WINDOW_SIZE);
        }
        if (input->packed_end == 0 && step.whole)
            break;
        step.in = input->packed + input->packed_at;
        step.in_len = input->packed_end - input->packed_at;
        if (!input->unpacker->step(input->unpacking, &step))
            input->trouble = input->unpacker->damaged;
        else if (input->packed_end == 0 && step.out_len == max && !step.whole)
            input->torn = true;
        input->packed_at = input->packed_end - step.in_len;
    }
    input->packed_over = step.whole;
    return max - step.out_len;
}

/* Makes room for LEN bytes from the one at hand on, at the window's beginning. */
static void make_room(struct input *input, size_t len)
{
    size_t kept = (size_t)(input->end - input->at);
    uint8_t *window = input->window;

    if (len > input->window_size) {
        window = memory_new(1, len);
        memcpy(window, input->at, kept);
        input->window_size = len;
    } else if (kept > 0) {
        memmove(window, input->at, kept);
    }
    input->base = input_offset(input);
    if (window != input->window)
        free(input->window);
    input->start = input->at = input->window = window;
    input->end = window + kept;
}

size_t input_fill(struct input *input, size_t len)
{
    size_t there = (size_t)(input->end - input->at);

    if (input->over)
        return there;
    make_room(input, len);
    while (there < len && !input->over) {
        uint8_t *to = input->window + there;
        size_t max = input->window_size - there;
        size_t got =
            input->unpacker != NULL ? unpack_some(input, to, max) : read_some(input, to, max);

        input->over = got == 0;
        there += got;
    }
    input->end = input->at + there;
    return there;
}

bool input_skip(struct input *input, uint64_t len)
{
    while (len > 0) {
        size_t there = input_want(input, 1);
        size_t step = there < len ? there : (size_t)len;

        if (step == 0)
            return false;
        input_took(input, step);
        len -= step;
    }
    return true;
}

uint64_t input_offset(const struct input *input)
{
    return input->base + (uint64_t)(input->at - input->start);
}

bool input_can_seek(const struct input *input)
{
    return input->window == NULL || (input->fd > STDIN_FILENO && input->unpacker == NULL &&
                                        lseek(input->fd, 0, SEEK_CUR) >= 0);
}

uint64_t input_size(const struct input *input)
{
    struct stat st;

    if (input->window == NULL || !input_can_seek(input) || fstat(input->fd, &st) != 0)
        return 0;
    return S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

bool input_seek(struct input *input, uint64_t offset)
{
    if (input->window == NULL && offset <= (uint64_t)(input->end - input->start)) {
        input->at = input->start + offset;
        return true;
    }
    if (input->window == NULL || !input_can_seek(input) ||
        lseek(input->fd, (off_t)offset, SEEK_SET) < 0)
        return false;
    window_empty(input, offset);
    return true;
}

const char *input_trouble(const struct input *input)
{
    return input->torn ? "the compressed data ends before its end" : input->trouble;
}

bool input_is_torn(const struct input *input)
{
    return input->torn;
}

/* Looks at the beginning: is there any, and is it packed? */
static int begin(struct input *input, const char **why)
{
    size_t there = input_fill(input, 4);

    if (input->trouble != NULL) {
        *why = input->trouble;
        return UV_EIO;
    }
    if (there == 0) {
        *why = "is empty: nothing has been recorded into it";
        return UV_EOF;
    }
    input->unpacker = unpacker_find(input->at, there);
    if (input->unpacker == NULL)
        return 0;
    input->unpacking = input->unpacker->open();
    if (input->unpacking == NULL)
        memory_need(UV_ENOMEM);
    /* What was read is packed: it becomes the unpacker's, and the window is empty again. */
    input->packed = input->window;
    input->packed_end = there;
    window_new(input);
    return 0;
}

int input_open(struct input *input, const char *path, char *err, size_t err_size)
{
    const char *why = NULL;
    struct stat st;
    int status;

    memset(input, 0, sizeof(*input));
    input->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0) {
        status = uv_translate_sys_error(errno);
        snprintf(err, err_size, "cannot open the capture %s: %s", path, uv_strerror(status));
        return status;
    }
    window_new(input);
    if (fstat(input->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        why = "is a directory: give the capture file in it";
        status = UV_EINVAL;
    } else {
        status = begin(input, &why);
    }
    if (status == 0)
        return 0;
    snprintf(err, err_size, "%s %s", strcmp(path, "-") == 0 ? "standard input" : path, why);
    input_close(input);
    return status;
}
