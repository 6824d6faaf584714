#include "lib/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <uv.h>

bool own_file_is_descriptor(const char *path)
{
    static const char folder[] = "/dev/fd/";
    return strcmp(path, "/dev/stdout") == 0 || strcmp(path, "/dev/stderr") == 0 ||
           strncmp(path, folder, sizeof folder - 1) == 0;
}

int own_file_open(const char *path, int flags, bool *made)
{
    flags |= O_CREAT | O_CLOEXEC | (own_file_is_descriptor(path) ? 0 : O_NOFOLLOW);
    int fd = open(path, flags | O_EXCL, 0600);
    *made = fd >= 0;
    if (fd < 0 && errno == EEXIST)
        fd = open(path, flags, 0600);
    return fd < 0 ? uv_translate_sys_error(errno) : fd;
}

const char *own_file_strerror(int err)
{
    return err == UV_ELOOP
               ? "it is a symbolic link, which is not followed: give the file's own path"
               : uv_strerror(err);
}
