#include "mitm_proxy/sink_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/own_file.h"

#define FIFO_WAIT_MS 500
#define SET_ASIDE_MAX 1000 /* files of another kind that may stand beside a capture */

/*
 * Read and write: what a capture holds already has to be looked at. A FIFO that nobody empties is
 * full, and not waited for.
 */
static int open_path(struct sink_file *file)
{
    return own_file_open(file->path, O_RDWR | O_APPEND | O_NONBLOCK, &file->made);
}

/* Who waits for another's write turns round for a moment before it sleeps. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t adaptive;
    pthread_mutexattr_init(&adaptive);
    pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &adaptive);
    pthread_mutexattr_destroy(&adaptive);
}

static int open_file(struct sink_file *file, const char *path, const char *what)
{
    *file = (struct sink_file){.path = path, .what = what};
    init_lock(&file->lock);
    file->fd = open_path(file);
    return file->fd < 0 ? file->fd : 0;
}

/* A writer that was killed in the middle of a line has left no end of it. */
static bool ends_in_half_a_line(int fd)
{
    char last;
    off_t end = lseek(fd, 0, SEEK_END);
    return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

int sink_file_open(struct sink_file *file, const char *path, const char *what)
{
    int err = open_file(file, path, what);
    file->torn = !err && ends_in_half_a_line(file->fd);
    return err;
}

void sink_file_give(const struct sink_file *file, uid_t uid, gid_t gid)
{
    if (file->fd >= 0 && file->made && fchown(file->fd, uid, gid) != 0)
        log_error("the %s %s cannot be given to user %u: %s", file->what, file->path, uid,
            strerror(errno));
}

/* Moves the file away under the first free name, and begins another one. */
static int set_aside(struct sink_file *file)
{
    char aside[PATH_MAX];
    for (int i = 1; i <= SET_ASIDE_MAX; i++) {
        int len = snprintf(aside, sizeof aside, "%s.%d", file->path, i);
        if (len < 0 || (size_t)len >= sizeof aside)
            return -ENAMETOOLONG;
        if (access(aside, F_OK) != 0)
            break;
    }
    if (rename(file->path, aside) != 0)
        return -errno;
    log_info("%s was no %s to go on with: it is now %s", file->path, file->what, aside);
    close(file->fd);
    file->fd = open_path(file);
    return file->fd < 0 ? file->fd : 0;
}

int sink_file_open_headed(struct sink_file *file, const char *path, const char *what,
    const void *header, size_t header_len, sink_file_end end_of)
{
    struct stat now;
    int err = open_file(file, path, what);
    if (err)
        return err;
    file->header = header;
    file->header_len = header_len;
    if (fstat(file->fd, &now) != 0 || !S_ISREG(now.st_mode) || now.st_size == 0)
        return 0;
    off_t end = end_of(file->fd, header, header_len);
    if (end < 0) {
        err = set_aside(file);
    } else {
        file->headed = true;
        if (end < now.st_size && ftruncate(file->fd, end) != 0)
            err = -errno;
    }
    if (err && file->fd >= 0)
        close(file->fd);
    return err;
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

/* A FIFO that is full in the middle of a record: its reader has a moment. */
static bool has_room(const struct sink_file *file)
{
    struct pollfd writable = {.fd = file->fd, .events = POLLOUT};
    return poll(&writable, 1, FIFO_WAIT_MS) == 1;
}

/* Steps over LEN bytes, which have been written. */
static void step_over(struct iovec *pieces, int count, size_t len)
{
    for (int i = 0; i < count; i++) {
        size_t taken = len < pieces[i].iov_len ? len : pieces[i].iov_len;
        pieces[i].iov_base = (char *)pieces[i].iov_base + taken;
        pieces[i].iov_len -= taken;
        len -= taken;
    }
}

/* All of it or nothing: a short write is taken back where the file allows it. 0 or an errno. */
static int write_whole(struct sink_file *file, struct iovec *pieces, int count)
{
    size_t done = 0, len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].iov_len;
    while (done < len) {
        ssize_t n = count == 1 ? write(file->fd, pieces->iov_base, pieces->iov_len)
                               : writev(file->fd, pieces, count);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && done > 0 && has_room(file))))
            continue;
        if (n <= 0) {
            int err = n < 0 ? errno : EIO;
            struct stat now;
            if (done > 0 &&
                (fstat(file->fd, &now) != 0 || ftruncate(file->fd, now.st_size - (off_t)done) != 0))
                file->torn = true;
            return err;
        }
        done += (size_t)n;
        step_over(pieces, count, (size_t)n);
    }
    return 0;
}

static int write_bytes(struct sink_file *file, const void *bytes, size_t len)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
    return write_whole(file, &piece, 1);
}

/* What has to stand before the next record: the header, or the end of a torn line. */
static int write_before(struct sink_file *file)
{
    int err = 0;
    if (file->header && !file->headed) {
        err = write_bytes(file, file->header, file->header_len);
        file->headed = err == 0;
    } else if (!file->header && file->torn) {
        err = write_bytes(file, "\n", 1);
        file->torn = err != 0;
    }
    return err;
}

bool sink_file_write_pieces(
    struct sink_file *file, const struct iovec *pieces, int count, uint64_t records)
{
    struct iovec rest[SINK_FILE_PIECES_MAX];
    memcpy(rest, pieces, (size_t)count * sizeof *pieces);
    pthread_mutex_lock(&file->lock);
    int err = write_before(file);
    if (!err)
        err = write_whole(file, rest, count);
    if (err)
        fail(file, err, records);
    else
        recover(file);
    pthread_mutex_unlock(&file->lock);
    if (!err)
        atomic_fetch_add_explicit(&file->written, records, memory_order_relaxed);
    return err == 0;
}

bool sink_file_write(struct sink_file *file, const void *data, size_t len, uint64_t records)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    return sink_file_write_pieces(file, &piece, 1, records);
}

static bool reopen(struct sink_file *file)
{
    struct stat there, here;
    int flags = own_file_is_descriptor(file->path) ? 0 : AT_SYMLINK_NOFOLLOW;
    if (fstatat(AT_FDCWD, file->path, &there, flags) == 0 && fstat(file->fd, &here) == 0 &&
        there.st_dev == here.st_dev && there.st_ino == here.st_ino)
        return false;
    int fd = open_path(file);
    if (fd < 0) {
        log_error("the %s %s cannot be reopened: %s; the old file stays in use", file->what,
            file->path, own_file_strerror(fd));
        return false;
    }
    close(file->fd);
    file->fd = fd;
    file->headed = false;
    file->torn = !file->header && ends_in_half_a_line(fd);
    return true;
}

bool sink_file_reopen(struct sink_file *file)
{
    pthread_mutex_lock(&file->lock);
    bool other = reopen(file);
    pthread_mutex_unlock(&file->lock);
    return other;
}

void sink_file_close(struct sink_file *file)
{
    if (file->lost > 0)
        log_error("the %s %s lacks %llu records that could not be written", file->what, file->path,
            (unsigned long long)file->lost);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    pthread_mutex_destroy(&file->lock);
}
