#include "lib/process.h"

#include <signal.h>
#include <sys/resource.h>

void process_init(void)
{
    struct rlimit limit;
    (void)signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* the old limit is fewer connections, no failure */
}
