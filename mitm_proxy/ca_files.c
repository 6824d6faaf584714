#include "mitm_proxy/ca_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/crypto.h"

#define NEW_NAME_SIZE 64

/* 0 or an errno, as all here. */
static int write_whole(int fd, struct slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        bytes = slice_of(bytes.data + n, bytes.len - (size_t)n);
    }
    return 0;
}

/* MODE in spite of the umask. */
static int fill(int fd, struct slice bytes, mode_t mode)
{
    int err = write_whole(fd, bytes);
    if (!err && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        err = errno;
    if (close(fd) != 0 && !err)
        err = errno;
    return err;
}

/* Whole and with its mode under a name that nobody knows, then under its own: link(2) never
 * replaces. */
static int add_file(int dir, const char *name, struct slice bytes, mode_t mode)
{
    char new_name[NEW_NAME_SIZE];
    uint64_t random;
    if (!crypto_random(&random, sizeof random))
        return EAGAIN;
    snprintf(new_name, sizeof new_name, ".%s.%016llx", name, (unsigned long long)random);
    int fd = openat(dir, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int err = fill(fd, bytes, mode);
    if (!err && linkat(dir, new_name, dir, name, 0) != 0)
        err = errno;
    unlinkat(dir, new_name, 0);
    return err;
}

/* *FAILED: the file that ERR is about. */
static int add_files(
    const char *path, struct slice certificate, struct slice key, const char **failed)
{
    *failed = "";
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno;
    *failed = "/" CA_KEY_FILE;
    int err = add_file(dir, CA_KEY_FILE, key, 0600);
    if (!err) {
        *failed = "/" CA_CERTIFICATE_FILE;
        err = add_file(dir, CA_CERTIFICATE_FILE, certificate, 0644);
        if (err)
            unlinkat(dir, CA_KEY_FILE, 0);
    }
    (void)fsync(dir); /* not every file system can */
    close(dir);
    return err;
}

static void explain(const char *dir, const char *failed, int err, char *why, size_t why_size)
{
    if (err == EEXIST)
        snprintf(why, why_size, "%s%s is there already and stays: choose another directory", dir,
            failed);
    else
        snprintf(why, why_size, "%s%s cannot be made: %s", dir, failed, strerror(err));
}

int ca_files_write(
    const char *dir, struct slice certificate, struct slice key, char *why, size_t why_size)
{
    sigset_t ends, before;
    const char *failed = "";
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, &before); /* they wait until nothing is half made */
    bool made = mkdir(dir, 0700) == 0;
    int err = made || errno == EEXIST ? 0 : errno;
    if (!err)
        err = add_files(dir, certificate, key, &failed);
    if (err && made)
        rmdir(dir);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (err)
        explain(dir, failed, err, why, why_size);
    return err ? -1 : 0;
}
