/*
 * The rules that a running proxy goes by: read at the start and again on SIGHUP.
 */
#ifndef MITM_PROXY_RULES_IN_FORCE_H
#define MITM_PROXY_RULES_IN_FORCE_H

#include <stdbool.h>

#include "lib/options.h"
#include "mitm_proxy/rules.h"

/* Errors are logged: all of them. NULL: something is wrong, or no rule has a name of CONCEALED. */
struct rules *rules_in_force_load(const char *path, const struct option_list *concealed);

/*
 * Puts those of the file in the place of *RULES; what is in the hands of the old ones stays there.
 * If anything is wrong the old ones stay, and one line is logged.
 */
void rules_in_force_reload(
    struct rules **rules, const char *path, const struct option_list *concealed);

/* Says on stdout or stderr what there is to say of a file of rules. The exit status. */
int rules_in_force_check(const char *path);

#endif
