#include "mitm_proxy/privileges.h"

#include <errno.h>
#include <grp.h>
#include <libgen.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define NAME_SIZE 256

struct capabilities {
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
};

/* CALL is SYS_capget or SYS_capset, for this thread. 0 or UV_E*. */
static int capabilities(long call, struct capabilities *now)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(call, &header, now->sets) == 0 ? 0 : -errno;
}

uint32_t privileges_of(uint32_t bits)
{
    struct capabilities now;
    return capabilities(SYS_capget, &now) == 0 ? now.sets[0].effective & bits : 0;
}

static bool has(uint32_t bits)
{
    return privileges_of(bits) == bits;
}

static bool may_change(void)
{
    return has(1U << CAP_SETUID | 1U << CAP_SETGID);
}

/* A number that is an id; -1 is none (setresuid(2)). */
static bool read_number(const char *text, id_t *id)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    *id = (id_t)number;
    return *text >= '0' && *text <= '9' && !*end && !errno && number < UINT32_MAX;
}

static bool find_user(struct privileges_user *user, const char *name, bool *has_group)
{
    id_t number;
    const struct passwd *entry = getpwnam(name);
    if (!entry && read_number(name, &number)) {
        user->uid = number;
        entry = getpwuid(number);
    } else if (!entry) {
        return false;
    }
    *has_group = entry;
    if (entry) {
        user->uid = entry->pw_uid;
        user->gid = entry->pw_gid;
    }
    return true;
}

static bool find_group(struct privileges_user *user, const char *name)
{
    id_t number;
    const struct group *entry = getgrnam(name);
    if (entry)
        user->gid = entry->gr_gid;
    else if (read_number(name, &number))
        user->gid = number;
    else
        return false;
    return true;
}

int privileges_user_named(struct privileges_user *user, const char *text, const char **why)
{
    char name[NAME_SIZE];
    bool has_group;
    const char *group = strchr(text, ':');
    int len = group ? (int)(group - text) : (int)strlen(text);
    snprintf(name, sizeof name, "%.*s", len, text);
    *user = (struct privileges_user){.changes = true, .owns = true};
    if (len >= NAME_SIZE || !find_user(user, name, &has_group))
        *why = "there is no such user";
    else if (group && !find_group(user, group + 1))
        *why = "there is no such group";
    else if (!group && !has_group)
        *why = "it has no group of its own: give one, as in 1000:1000";
    else if (may_change())
        return 0;
    else if (user->uid != geteuid() || user->gid != getegid())
        *why = "only root can become another user";
    else
        user->changes = false;
    return user->changes ? -1 : 0;
}

/* Whether the user namespace has ID: its map has lines of a first id, its outer twin, and how many.
 */
static bool is_mapped(const char *map, unsigned long id)
{
    unsigned long first, outer, count;
    bool found = false;
    FILE *file = fopen(map, "re");
    while (file && !found && fscanf(file, "%lu %lu %lu", &first, &outer, &count) == 3)
        found = id >= first && id - first < count;
    if (file)
        fclose(file);
    return found;
}

struct privileges_user privileges_user_default(const char *path)
{
    char folder[PATH_MAX];
    struct stat there = {0};
    struct privileges_user user = {geteuid(), getegid(), false, false};
    if (user.uid != 0 || !may_change())
        return user;
    snprintf(folder, sizeof folder, "%s", path ? path : "/");
    bool owns = stat(dirname(folder), &there) == 0 && there.st_uid != 0;
    if (!owns) {
        there.st_uid = NOBODY;
        there.st_gid = NOBODY;
    }
    if (is_mapped("/proc/self/uid_map", there.st_uid) &&
        is_mapped("/proc/self/gid_map", there.st_gid))
        user = (struct privileges_user){there.st_uid, there.st_gid, true, owns};
    return user;
}

/* False: something is left. */
static bool empty_bounding_set(void)
{
    bool empty = true;
    for (int cap = 0, there; (there = prctl(PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
        if (there > 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
            empty = false;
    return empty;
}

/* What has been read, as the CA's key, is not for others who are this user, nor for a core file. */
static int hide_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    int dumpable = 1; /* LeakSanitizer looks into it from another process */
#else
    int dumpable = 0;
#endif
    return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) == 0 ? 0 : -errno;
}

/* KEEPCAPS, as the last user id that was 0 takes all capabilities with it. */
static int become(const struct privileges_user *user)
{
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
        setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
        return -errno;
    return hide_memory();
}

static int keep_only(uint32_t keep)
{
    struct capabilities now;
    int err = capabilities(SYS_capget, &now);
    if (err)
        return err;
    keep &= now.sets[0].permitted;
    memset(&now, 0, sizeof now);
    now.sets[0].permitted = now.sets[0].effective = keep;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
        return -errno;
    return capabilities(SYS_capset, &now);
}

static bool is_user(const struct privileges_user *user)
{
    uid_t uids[3];
    gid_t gids[3];
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != user->uid || gids[i] != user->gid)
            return false;
    return getgroups(0, NULL) == 0;
}

/* The kernel's word for it, and a try. */
static bool is_gone(const struct privileges_user *user, uint32_t keep)
{
    struct capabilities now;
    if (capabilities(SYS_capget, &now) != 0 || (user->changes && !is_user(user)))
        return false;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        uint32_t may = i == 0 ? keep : 0;
        if (((now.sets[i].permitted | now.sets[i].effective) & ~may) || now.sets[i].inheritable)
            return false;
    }
    return (user->gid == 0 || setgid(0) != 0) && (user->uid == 0 || setuid(0) != 0) &&
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

int privileges_give_up(const struct privileges_user *user, uint32_t keep)
{
    bool bounds = has(1U << CAP_SETPCAP);
    bool bounded = empty_bounding_set();
    int err = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
    if (!err && user->changes)
        err = become(user);
    if (!err)
        err = keep_only(keep);
    if (!err && ((bounds && !bounded) || !is_gone(user, keep)))
        err = -EPERM;
    return err;
}
