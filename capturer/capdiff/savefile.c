#include "capturer/capdiff/savefile.h"

#include <pcap/dlt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "capturer/capdiff/memory.h"
#include "capturer/capdiff/savefile_state.h"

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define MAGIC_LONG 0xa1b2cd34u
#define MAGIC_NG 0x0a0d0d0au /* the same in both byte orders */

#define FILE_HEADER 24
#define RECORD_HEADER 16
#define RECORD_HEADER_LONG 24
#define NS_PER_S 1000000000u

/* Where files and libpcap have different numbers for the same thing. */
#define LINKTYPE_RAW 101
#define LINKTYPE_RAW_BSD 14

enum savefile_event savefile_stop(
    struct savefile *file, enum savefile_event event, const char *format, ...)
{
    va_list args;

    file->ended = true;
    file->end = event;
    if (format != NULL) {
        va_start(args, format);
        (void)vsnprintf(file->reason, sizeof(file->reason), format, args);
        va_end(args);
    }
    return event;
}

enum savefile_event savefile_short(struct savefile *file, size_t there)
{
    const char *trouble = input_trouble(&file->input);

    if (trouble != NULL)
        return savefile_stop(
            file, input_is_torn(&file->input) ? SAVEFILE_CUT : SAVEFILE_DAMAGED, "%s", trouble);
    if (there == 0)
        return savefile_stop(file, SAVEFILE_END, NULL);
    return savefile_stop(file, SAVEFILE_CUT, "the last %zu bytes are no whole record", there);
}

int savefile_link(uint32_t type)
{
    type &= 0x03ffffffu; /* above are flags about checksums */
    if (type == LINKTYPE_RAW || type == LINKTYPE_RAW_BSD)
        return DLT_RAW;
    return type <= 0xffff ? (int)type : -1;
}

static int pcap_begin(struct savefile *file)
{
    size_t there = input_want(&file->input, FILE_HEADER);
    uint32_t magic;

    if (there < FILE_HEADER)
        return UV_EOF;
    memcpy(&magic, file->input.at, sizeof(magic));
    if (magic != MAGIC_US && magic != MAGIC_NS && magic != MAGIC_LONG) {
        file->swapped = true;
        magic = __builtin_bswap32(magic);
    }
    file->unit = magic == MAGIC_NS ? 1 : 1000;
    file->header = magic == MAGIC_LONG ? RECORD_HEADER_LONG : RECORD_HEADER;
    file->link = savefile_link(savefile_get32(file, file->input.at + 20));
    input_took(&file->input, FILE_HEADER);
    return 0;
}

static enum savefile_event pcap_next(struct savefile *file, struct savefile_packet *packet)
{
    struct input *input = &file->input;
    size_t header = file->header;
    size_t there = input_want(input, header);
    uint32_t len;

    if (there < header)
        return savefile_short(file, there);
    len = savefile_get32(file, input->at + 8);
    if (len > SAVEFILE_RECORD_MAX)
        return savefile_stop(file, SAVEFILE_DAMAGED, "a packet of %u bytes cannot be", len);
    there = input_want(input, header + len);
    if (there < header + len)
        return savefile_short(file, there);
    packet->offset = input_offset(input);
    packet->time_ns = (uint64_t)savefile_get32(file, input->at) * NS_PER_S +
                      (uint64_t)savefile_get32(file, input->at + 4) * file->unit;
    packet->len = len;
    packet->wire_len = savefile_get32(file, input->at + 12);
    if (packet->wire_len < len)
        packet->wire_len = len;
    packet->data = input->at + header;
    packet->link = file->link;
    packet->direction = 0;
    input_took(input, header + len);
    return SAVEFILE_PACKET;
}

static bool is_pcap(uint32_t magic)
{
    return magic == MAGIC_US || magic == MAGIC_NS || magic == MAGIC_LONG;
}

/* Finds out which format it is, from the first bytes. */
static int begin(struct savefile *file, const char *name, char *err, size_t err_size)
{
    size_t there = input_want(&file->input, 4);
    const char *trouble = input_trouble(&file->input);
    uint32_t magic = 0;
    int status = there < 4 ? UV_EOF : UV_EINVAL;

    if (there >= 4) {
        memcpy(&magic, file->input.at, sizeof(magic));
        file->ng = magic == MAGIC_NG;
        if (file->ng)
            status = savefile_ng_begin(file);
        else if (is_pcap(magic) || is_pcap(__builtin_bswap32(magic)))
            status = pcap_begin(file);
    }
    if (status == 0)
        return 0;
    if (trouble != NULL && !input_is_torn(&file->input)) {
        snprintf(err, err_size, "%s cannot be read: %s", name, trouble);
        return UV_EINVAL;
    }
    snprintf(err, err_size,
        status == UV_EOF ? "%s ends inside its header: nothing has been recorded into it"
                         : "%s is not a capture that can be read: give a pcap or pcapng file",
        name);
    return status;
}

static int start(
    struct savefile **out, struct savefile *file, const char *name, char *err, size_t err_size)
{
    int status = begin(file, name, err, err_size);

    if (status != 0) {
        savefile_close(file);
        file = NULL;
    }
    *out = file;
    return status;
}

int savefile_open(struct savefile **out, const char *path, char *err, size_t err_size)
{
    struct savefile *file = memory_new(1, sizeof(*file));
    int status = input_open(&file->input, path, err, err_size);

    if (status != 0) {
        free(file);
        return status;
    }
    return start(out, file, strcmp(path, "-") == 0 ? "standard input" : path, err, err_size);
}

int savefile_open_memory(struct savefile **out, const void *data, size_t len, const char *name,
    char *err, size_t err_size)
{
    struct savefile *file = memory_new(1, sizeof(*file));

    input_open_memory(&file->input, data, len);
    return start(out, file, name, err, err_size);
}

void savefile_close(struct savefile *file)
{
    if (file == NULL)
        return;
    input_close(&file->input);
    free(file->interfaces);
    free(file);
}

enum savefile_event savefile_next(struct savefile *file, struct savefile_packet *packet)
{
    if (file->ended)
        return file->end;
    return file->ng ? savefile_ng_next(file, packet) : pcap_next(file, packet);
}

bool savefile_seek(struct savefile *file, uint64_t offset)
{
    return !file->ng && input_can_seek(&file->input) && input_seek(&file->input, offset);
}

uint64_t savefile_size(const struct savefile *file)
{
    return input_size(&file->input);
}

const char *savefile_reason(const struct savefile *file)
{
    return file->reason;
}
