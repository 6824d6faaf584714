/*
 * Everything that is known from one capture file: its connections with their exchanges, and what
 * the file itself is worth as evidence.
 */
#ifndef CAPDIFF_RECORDING_H
#define CAPDIFF_RECORDING_H

#include "capturer/capdiff/capture.h"
#include "capturer/capdiff/connection.h"

#define RECORDING_KEPT_MAX ((size_t)512 * 1024 * 1024) /* bytes of messages, per capture */

struct recording {
    const char *path; /* borrowed */
    char *name;       /* its last part, escaped: what reports call it */
    struct capture_facts facts;
    struct connections connections;
    uint64_t exchanges, gaps, gap_bytes, late_connections, clashes, retransmissions;
};

/* Reads PATH, "-" for standard input. 0, or an error of capture_read with ERR filled and the
 * recording empty. */
int recording_load(struct recording *recording, const char *path, char *err, size_t err_size);
void recording_deinit(struct recording *recording);

/* Nothing is missing that the file itself shows: whole end, no gap, nothing unread. */
bool recording_is_whole(const struct recording *recording);

#endif
