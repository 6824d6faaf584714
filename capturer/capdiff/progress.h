/*
 * How far reading has come, on stderr: for people who wait, so only where stderr is a terminal, and
 * only once it takes longer than a second. There is one terminal, hence one progress at a time.
 */
#ifndef CAPDIFF_PROGRESS_H
#define CAPDIFF_PROGRESS_H

#include <stdint.h>

/* Reading PATH begins, of SIZE bytes; 0: that is not known. */
void progress_begin(const char *path, uint64_t size);

/* Reading has come to OFFSET. Cheap; to be called now and then. */
void progress_at(uint64_t offset);

/* Reading is over: what was shown is taken away. */
void progress_end(void);

#endif
