/*
 * How a test steers a library that was put before the C library by LD_PRELOAD: by numbers in a file
 * that both have mapped.
 */
#ifndef TESTS_FAULTS_CONTROL_H
#define TESTS_FAULTS_CONTROL_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CONTROL_WORDS 2

/* The words of the file that the environment's NAME names, in the machine's byte order; zeros if
 * none does. */
static inline const volatile int64_t *control_open(const char *name)
{
    static const volatile int64_t none[CONTROL_WORDS];
    const char *path = getenv(name);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return none;
    const void *words = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    return words == MAP_FAILED ? none : words;
}

#endif
