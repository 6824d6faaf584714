/*
 * What every program here sets for itself before anything else.
 */
#ifndef LIB_PROCESS_H
#define LIB_PROCESS_H

/*
 * Ignores SIGPIPE, so that a peer that went away is an error of a write; sets no_new_privs, as
 * nothing here runs another program; keeps the first three descriptors from anything that is opened
 * later, where they came closed; and raises the soft limit of open files to the hard one, as each
 * connection takes a descriptor.
 */
void process_init(void);

#endif
