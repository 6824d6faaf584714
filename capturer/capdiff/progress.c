#include "capturer/capdiff/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

#define PATIENCE_NS 1000000000u /* that nobody is told anything */
#define EVERY_NS 100000000u
#define BAR_WIDTH 30
#define NAME_SHOWN_MAX 80
#define MEGABYTE 1000000u

static struct {
    bool wanted, shown;
    const char *path;
    uint64_t size;
    uint64_t next_ns; /* when it is shown again */
} progress;

void progress_begin(const char *path, uint64_t size)
{
    uint64_t now = clock_monotonic_ns();

    progress.wanted = isatty(STDERR_FILENO) == 1;
    progress.shown = false;
    progress.path = path;
    progress.size = size;
    progress.next_ns = now + PATIENCE_NS;
}

void progress_at(uint64_t offset)
{
    static const char full[] = "##############################";
    static const char empty[] = "..............................";
    char name[NAME_SHOWN_MAX];
    uint64_t now;
    int done;

    if (!progress.wanted)
        return;
    now = clock_monotonic_ns();
    if (now < progress.next_ns)
        return;
    progress.next_ns = now + EVERY_NS;
    progress.shown = true;
    log_escape(slice_str(progress.path), name, sizeof(name));
    if (progress.size == 0) {
        fprintf(stderr, "\r\033[K%s: %llu MB read", name, (unsigned long long)(offset / MEGABYTE));
    } else {
        if (offset > progress.size)
            offset = progress.size;
        done = (int)((double)offset / (double)progress.size * BAR_WIDTH);
        fprintf(stderr, "\r\033[K[%.*s%.*s] %3d%% %s", done, full, BAR_WIDTH - done, empty,
            (int)((double)offset / (double)progress.size * 100), name);
    }
    (void)fflush(stderr);
}

void progress_end(void)
{
    if (progress.shown)
        fputs("\r\033[K", stderr);
    progress.shown = progress.wanted = false;
}
