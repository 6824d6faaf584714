#include "mitm_proxy/capture_end.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_MAX 4096
#define BLOCK_MIN 12

static off_t file_size(int fd)
{
    struct stat now;
    return fstat(fd, &now) == 0 ? now.st_size : 0;
}

static bool begins_with(int fd, const void *header, size_t len)
{
    unsigned char first[HEADER_MAX];
    return len <= sizeof first && pread(fd, first, len, 0) == (ssize_t)len &&
           memcmp(first, header, len) == 0;
}

off_t capture_end_pcap(int fd, const void *header, size_t header_len)
{
    uint32_t record[4];
    off_t at = (off_t)header_len, size = file_size(fd);
    if (!begins_with(fd, header, header_len))
        return -1;
    while (pread(fd, record, sizeof record, at) == sizeof record) {
        off_t next = at + (off_t)sizeof record + record[2];
        if (next > size)
            break;
        at = next;
    }
    return at;
}

off_t capture_end_pcapng(int fd, const void *header, size_t header_len)
{
    uint32_t head[2], len;
    off_t at = (off_t)header_len, size = file_size(fd);
    if (!begins_with(fd, header, header_len))
        return -1;
    /* Each block tells its length at both ends. */
    while (pread(fd, head, sizeof head, at) == sizeof head && head[1] >= BLOCK_MIN &&
           at + (off_t)head[1] <= size &&
           pread(fd, &len, sizeof len, at + (off_t)head[1] - (off_t)sizeof len) == sizeof len &&
           len == head[1])
        at += head[1];
    return at;
}
