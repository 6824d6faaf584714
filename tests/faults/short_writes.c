/*
 * Writes that take less than they were given. To be preloaded: SHORT_WRITES is "file:N", "socket:N"
 * or both with a comma between; no write to such a descriptor takes more than N bytes, but for what
 * is printed.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t (*real_write)(int fd, const void *data, size_t len);
static size_t file_max, socket_max; /* 0: any */

static size_t read_max(const char *text, const char *name)
{
    const char *at = text ? strstr(text, name) : NULL;
    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("SHORT_WRITES");
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    file_max = read_max(text, "file:");
    socket_max = read_max(text, "socket:");
}

static size_t max_of(int fd, size_t len)
{
    struct stat now;
    if (fd <= STDERR_FILENO || fstat(fd, &now) != 0)
        return len;
    size_t max = S_ISSOCK(now.st_mode) ? socket_max : S_ISREG(now.st_mode) ? file_max : 0;
    return max > 0 && len > max ? max : len;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): theirs are reserved */
ssize_t write(int fd, const void *data, size_t len)
{
    if (!real_write)
        begin();
    return real_write(fd, data, max_of(fd, len));
}

/* Of the first run that is not empty. */
ssize_t writev(int fd, const struct iovec *runs, int count)
{
    while (count > 1 && runs->iov_len == 0) {
        runs++;
        count--;
    }
    return count > 0 ? write(fd, runs->iov_base, runs->iov_len) : 0;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    (void)flags; /* as below */
    return write(fd, data, len);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)flags; /* SIGPIPE is ignored, and libuv's sockets do not block */
    return writev(fd, message->msg_iov, (int)message->msg_iovlen);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
