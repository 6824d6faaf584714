/*
 * Everything that is known from one capture file: its connections with their exchanges, and what
 * the file itself is worth as evidence.
 */
#ifndef CAPDIFF_RECORDING_H
#define CAPDIFF_RECORDING_H

#include "capturer/capdiff/capture.h"
#include "capturer/capdiff/connection.h"

#define RECORDING_KEPT_MAX ((size_t)64 * 1024 * 1024) /* bytes of exchanges, per capture */

struct recording {
    const char *path;        /* borrowed */
    char *name;              /* its last part, escaped: what reports call it */
    struct capture *capture; /* while it is read */
    bool over;               /* all of it has been read */
    struct capture_facts facts;
    struct connections connections;
    uint64_t exchanges, gaps, gap_bytes, late_connections, clashes, retransmissions;
    uint64_t mixed; /* connections that another one cannot be told from: connection.h */
};

/* Opens PATH, "-" for standard input. 0, or an error of capture_open and the recording empty. */
int recording_open(struct recording *recording, const char *path, char *err, size_t err_size);

/* Reads on, as far as LEN bytes of the file go. */
void recording_read(struct recording *recording, uint64_t len);

/* All has been read. 0, or an error of capture_check and the recording empty. */
int recording_finish(struct recording *recording, char *err, size_t err_size);

/* The three in one. */
int recording_load(struct recording *recording, const char *path, char *err, size_t err_size);
void recording_deinit(struct recording *recording);

/* All connections, those that were forgotten included. */
uint64_t recording_connections(const struct recording *recording);

/* Takes a connection into the sums, before it is forgotten, or at the end. */
void recording_add(struct recording *recording, const struct connection *connection);

/* Nothing is missing that the file itself shows: whole end, no gap, nothing unread. */
bool recording_is_whole(const struct recording *recording);

#endif
