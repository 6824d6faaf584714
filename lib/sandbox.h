/*
 * What a process may still ask of the kernel once it has what it needs: which files, by Landlock
 * (landlock(7)), and which system calls, by seccomp(2).
 *
 * Both hold for ever, for the thread that calls and for all that it makes: call them before there
 * is another. no_new_privs must be set (process_init does).
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* For programs that have an option for it. */
enum sandbox_wish {
    SANDBOX_ON, /* as far as the kernel can */
    SANDBOX_OFF,
    SANDBOX_REQUIRE, /* all of it, or no start */
};

enum sandbox_access {
    SANDBOX_READ,
    SANDBOX_WRITE, /* and read, and make files there; nothing is removed or renamed */
};

/* A file, or a folder and all that is in it. One that is not there is left out. */
struct sandbox_path {
    const char *path;
    enum sandbox_access access;
};

enum sandbox_role {
    SANDBOX_PROXY,  /* files, TCP connections, names, threads */
    SANDBOX_TPROXY, /* the same, and its connections may have addresses */
    SANDBOX_BROKER, /* makes transparent sockets and sends them over a channel */
};

/* NULL, or why this program has no sandbox: sanitizers make calls of their own. */
const char *sandbox_excuse(void);

/*
 * Before uv_loop_init, where sandbox_calls is to follow: io_uring would go past its filter, so the
 * kernel has none, and libuv does without. 0 or UV_E*; then sandbox_calls will fail, too.
 */
int sandbox_begin(void);

/*
 * From here on only what is below these PATHS can be opened, no signal and no abstract socket gets
 * out, and, unless BINDS, no TCP socket has an address given. What is open stays open. Returns the
 * version of Landlock's interface (1 at least), which says how much of that the kernel can do, or
 * UV_E*: UV_ENOSYS or UV_ENOTSUP where it has no Landlock.
 */
int sandbox_files(const struct sandbox_path *paths, size_t count, bool binds);

/*
 * From here on the kernel takes only the calls that ROLE makes. Others are answered with ENOSYS, as
 * by a kernel that does not know them, for the next libc may try new ones. What only an intruder
 * would do (run a program, make a process, trace, mount, become another user …) ends the process by
 * SIGSYS, after a line of the log that has the call's number. 0 or UV_E*.
 */
int sandbox_calls(enum sandbox_role role);

#endif
