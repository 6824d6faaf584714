/*
 * Files for what is not for everybody: made 0600, and found where they are said to be, for no
 * symbolic link is followed at the end of the path (open(2), O_NOFOLLOW).
 *
 * Only /dev/stdout, /dev/stderr and /dev/fd/N are followed: these are links of the kernel's to what
 * the process has open.
 */
#ifndef LIB_OWN_FILE_H
#define LIB_OWN_FILE_H

#include <stdbool.h>

/*
 * Opens PATH with FLAGS of open(2), and makes it where it is missing; *MADE says whether it did.
 * What is there keeps its mode. Never waits for the other end of a FIFO with O_NONBLOCK among
 * FLAGS. The descriptor, or UV_E*.
 */
int own_file_open(const char *path, int flags, bool *made);

/* True when PATH names what the process has open itself. */
bool own_file_is_descriptor(const char *path);

/* What an error of own_file_open means, and what to do, as a clause for people. */
const char *own_file_strerror(int err);

#endif
