/* Which files: Landlock, as far as the running kernel has it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/sandbox.h"

/* Of newer versions of linux/landlock.h than Debian 12 has. */
#define ACCESS_FS_TRUNCATE (1ULL << 14)
#define ACCESS_NET_BIND_TCP (1ULL << 0)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

#define READS LANDLOCK_ACCESS_FS_READ_FILE
#define WRITES                                                                                     \
    (READS | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_MAKE_REG)
#define OF_FILES (READS | LANDLOCK_ACCESS_FS_WRITE_FILE | ACCESS_FS_TRUNCATE)

/* As in kernels from 6.12 on; older ones take it where what they do not know is zero. */
struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

/* Everything that this version of the interface can refuse. */
static struct ruleset all_of(int version, bool binds)
{
    static const unsigned rights[] = {0, 13, 14, 15, 15, 16}; /* kinds of access, by version */
    size_t last = sizeof rights / sizeof rights[0] - 1;
    size_t known = (size_t)version < last ? (size_t)version : last;
    return (struct ruleset){
        .handled_fs = (1ULL << rights[known]) - 1,
        .handled_net = version >= 4 && !binds ? ACCESS_NET_BIND_TCP : 0,
        .scoped = version >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
    };
}

/* 0, also where there is no such path; or UV_E*. */
static int permit(int ruleset, const struct sandbox_path *path, uint64_t handled)
{
    struct stat what;
    uint64_t access = path->access == SANDBOX_WRITE ? WRITES : READS;
    struct landlock_path_beneath_attr rule = {
        .parent_fd = open(path->path, O_PATH | O_CLOEXEC),
    };
    if (rule.parent_fd < 0)
        return 0;
    if (fstat(rule.parent_fd, &what) == 0 && !S_ISDIR(what.st_mode))
        access &= OF_FILES;
    rule.allowed_access = access & handled;
    int err =
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ? -errno : 0;
    close(rule.parent_fd);
    return err;
}

int sandbox_files(const struct sandbox_path *paths, size_t count, bool binds)
{
    int version =
        (int)syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 0)
        return -errno;
    struct ruleset all = all_of(version, binds);
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0U);
    int err = ruleset < 0 ? -errno : 0;
    for (size_t i = 0; !err && i < count; i++)
        err = permit(ruleset, &paths[i], all.handled_fs);
    if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0U) != 0)
        err = -errno;
    if (ruleset >= 0)
        close(ruleset);
    return err ? err : version;
}
