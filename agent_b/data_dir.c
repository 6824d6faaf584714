#include "agent_b/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

int data_dir_open(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : uv_translate_sys_error(errno);
}

/* O_NONBLOCK: to open a FIFO that nobody writes must not stop the server. */
static int open_beneath(int directory, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
    return fd >= 0 ? (int)fd : uv_translate_sys_error(errno);
}

static int read_all(int fd, struct buf *out)
{
    size_t before = out->len;
    for (;;) {
        char piece[16 * 1024];
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return uv_translate_sys_error(errno);
        if (got == 0)
            return 0;
        if (out->len - before + (size_t)got > DATA_DIR_FILE_MAX)
            return UV_EFBIG; /* it grew after fstat */
        int status = buf_append(out, piece, (size_t)got);
        if (status != 0)
            return status;
    }
}

static int read_regular(int fd, struct buf *out)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0)
        return uv_translate_sys_error(errno);
    if (!S_ISREG(facts.st_mode))
        return UV_EINVAL;
    if ((uint64_t)facts.st_size > DATA_DIR_FILE_MAX)
        return UV_EFBIG;
    return read_all(fd, out);
}

int data_dir_read(int directory, struct slice path, struct buf *out)
{
    char name[PATH_MAX];
    if (path.len == 0 || path.len >= sizeof name || memchr(path.data, '\0', path.len) != NULL)
        return UV_EINVAL;
    memcpy(name, path.data, path.len);
    name[path.len] = '\0';
    int fd = open_beneath(directory, name);
    if (fd < 0)
        return fd;
    int status = read_regular(fd, out);
    close(fd);
    return status;
}
