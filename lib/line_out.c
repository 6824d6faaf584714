#include "lib/line_out.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

/*
 * Whether it is worth trying again. Several programs may share the descriptor, and one of them may
 * have set O_NONBLOCK for all.
 */
static bool may_go_on(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    if (errno == EINTR)
        return true;
    return errno == EAGAIN && poll(&waiting, 1, LINE_OUT_WAIT) > 0;
}

static bool write_all(int fd, struct slice line)
{
    while (line.len > 0) {
        ssize_t written = write(fd, line.data, line.len);
        if (written >= 0)
            line = slice_of(line.data + written, line.len - (size_t)written);
        else if (!may_go_on(fd))
            return false;
    }
    return true;
}

void line_out_write(struct line_out *out, struct slice line)
{
    if (write_all(out->fd, line))
        return;
    if (out->lost++ == 0)
        log_error("cannot write to %s: %s; lines are being lost", out->name, strerror(errno));
}

void line_out_report(const struct line_out *out)
{
    if (out->lost > 0)
        log_error("%" PRIu64 " lines for %s were lost", out->lost, out->name);
}
