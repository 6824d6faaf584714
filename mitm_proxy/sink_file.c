#include "mitm_proxy/sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

static int open_path(const char *path, bool truncate)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (truncate ? O_TRUNC : 0);
    int fd = open(path, flags, 0644);
    return fd < 0 ? -errno : fd;
}

int sink_file_open(struct sink_file *file, const char *path, const char *what, bool truncate)
{
    *file = (struct sink_file){.path = path, .what = what};
    file->fd = open_path(path, truncate);
    return file->fd < 0 ? file->fd : 0;
}

static void set_failing(struct sink_file *file, bool failing)
{
    if (file->failing == failing)
        return;
    file->failing = failing;
    if (file->on_change)
        file->on_change(file->arg, failing);
}

static void fail(struct sink_file *file, int err, uint64_t records)
{
    file->lost += records;
    if (!file->failing)
        log_error("the %s %s cannot be written: %s; what is lost is counted", file->what,
            file->path, strerror(err));
    set_failing(file, true);
}

static void recover(struct sink_file *file)
{
    if (file->failing)
        log_info("the %s %s is written again; %llu records were lost", file->what, file->path,
            (unsigned long long)file->lost);
    set_failing(file, false);
}

/* All of it or nothing: a short write is taken back where the file allows it. */
bool sink_file_write(struct sink_file *file, const void *data, size_t len, uint64_t records)
{
    const char *bytes = data;
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(file->fd, bytes + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int err = n < 0 ? errno : EIO;
            struct stat now;
            if (done > 0 &&
                (fstat(file->fd, &now) != 0 || ftruncate(file->fd, now.st_size - (off_t)done) != 0))
                file->torn = true;
            fail(file, err, records);
            return false;
        }
        done += (size_t)n;
    }
    recover(file);
    return true;
}

bool sink_file_reopen(struct sink_file *file)
{
    struct stat there, here;
    if (stat(file->path, &there) == 0 && fstat(file->fd, &here) == 0 &&
        there.st_dev == here.st_dev && there.st_ino == here.st_ino)
        return false;
    int fd = open_path(file->path, false);
    if (fd < 0) {
        log_error("the %s %s cannot be reopened: %s; the old file stays in use", file->what,
            file->path, strerror(-fd));
        return false;
    }
    close(file->fd);
    file->fd = fd;
    file->torn = false;
    return true;
}

void sink_file_close(struct sink_file *file)
{
    if (file->lost > 0)
        log_error("the %s %s lacks %llu records that could not be written", file->what, file->path,
            (unsigned long long)file->lost);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
