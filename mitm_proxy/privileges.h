/*
 * Who the proxy is once all is open that takes a privilege, and giving up the rest: user, groups
 * and capabilities (credentials(7), capabilities(7)).
 */
#ifndef MITM_PROXY_PRIVILEGES_H
#define MITM_PROXY_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct privileges_user {
    uid_t uid;
    gid_t gid;
    bool changes; /* from who it is now */
    bool owns;    /* what is made here is to be this user's: the folder is, or it was named */
};

/*
 * TEXT is NAME[:GROUP], each a name or a number; without a group it is the user's own. 0, or -1
 * with a sentence in *WHY: there is no such user or group, or this process may not become it.
 */
int privileges_user_named(struct privileges_user *user, const char *text, const char **why);

/*
 * Who root becomes unless it is told: the owner of the folder that PATH is in, so that a new file
 * may be begun there, or nobody where that is root or PATH is NULL. Whoever is not root, or is root
 * of a user namespace that has nobody else, or lacks CAP_SETUID and CAP_SETGID, stays who it is.
 */
struct privileges_user privileges_user_default(const char *path);

/* Which of these capabilities it has; as bits, 1 << CAP_NET_RAW. */
uint32_t privileges_of(uint32_t bits);

/*
 * Becomes USER with no other groups, and keeps of the capabilities only those of KEEP;
 * no_new_privs keeps the rest gone. The bounding set is emptied, too, where CAP_SETPCAP is there.
 * What was given up is tried, to see that it is gone. All of this belongs to threads: call it
 * before any other is made. 0 or UV_E*; after a failure do not go on.
 */
int privileges_give_up(const struct privileges_user *user, uint32_t keep);

#endif
