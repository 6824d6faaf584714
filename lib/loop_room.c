#include "lib/loop_room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* A descriptor that can be watched, and the highest of COUNT. */
static int highest(size_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count)
        count = limit.rlim_cur;
    int any = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (any < 0)
        return -errno;
    int fd = fcntl(any, F_DUPFD_CLOEXEC, count > 0 ? (int)count - 1 : 0);
    int err = fd < 0 ? -errno : 0;
    close(any);
    return err ? err : fd;
}

int loop_room(uv_loop_t *loop, size_t count)
{
    uv_poll_t poll;
    int fd = highest(count);
    if (fd < 0)
        return fd;
    int err = uv_poll_init(loop, &poll, fd);
    if (!err) {
        err = uv_poll_start(&poll, UV_READABLE, NULL); /* which is what makes the room */
        uv_close((uv_handle_t *)&poll, NULL);
        uv_run(loop, UV_RUN_NOWAIT);
    }
    close(fd);
    return err;
}
