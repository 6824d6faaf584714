/*
 * The one directory that read_file may read from.
 *
 * The kernel itself keeps a path inside (openat2(2) with RESOLVE_BENEATH, Linux 5.6): "..", an
 * absolute path or a symbolic link that leads out fails, also when the tree changes meanwhile.
 */
#ifndef AGENT_B_DATA_DIR_H
#define AGENT_B_DATA_DIR_H

#include "lib/buf.h"
#include "lib/slice.h"

#define DATA_DIR_FILE_MAX (256UL * 1024) /* bytes of a file that is read */

/* A descriptor of the directory, or a negative UV_E*. */
int data_dir_open(const char *path);

/*
 * Appends the content of a regular file. 0, UV_EXDEV when PATH leads out of the directory,
 * UV_EFBIG past DATA_DIR_FILE_MAX, UV_EINVAL when it is no regular file or no path, or what open
 * and read returned.
 */
int data_dir_read(int directory, struct slice path, struct buf *out)
    __attribute__((warn_unused_result));

#endif
