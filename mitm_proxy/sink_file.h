/*
 * A file that evidence is written to: appended in whole records, reopened after a rotation.
 *
 * What stands in it already stays. A failure is said once and what was lost is counted; the next
 * record tries again. Recovery is said too. Several threads may write to one and reopen it: a lock
 * is held for as long as a write takes, as half a record that is taken back must be the last.
 */
#ifndef MITM_PROXY_SINK_FILE_H
#define MITM_PROXY_SINK_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define SINK_FILE_PIECES_MAX 9

struct sink_file {
    const char *path;
    const char *what; /* for messages: "exchange log" */
    pthread_mutex_t lock;
    int fd;
    bool made;          /* PATH was not there when it was opened */
    const void *header; /* what each new file begins with; NULL: nothing */
    size_t header_len;
    bool headed;                                /* the file has its header */
    bool failing;                               /* the last write failed */
    bool torn;                                  /* the file ends in half a record */
    atomic_ullong written, lost;                /* records */
    void (*on_change)(void *arg, bool failing); /* writing fails, or works again; may be NULL */
    void *arg;
};

/*
 * Opens PATH for appending records that are lines, as own_file_open has it. 0 or UV_E*, which
 * own_file_strerror explains. PATH and WHAT must outlive the file. `torn` tells whether what stands
 * there ends in half a line, which the next write ends first.
 */
int sink_file_open(struct sink_file *file, const char *path, const char *what);

/* A file that this process has made becomes another user's; what was there stays whose it is. */
void sink_file_give(const struct sink_file *file, uid_t uid, gid_t gid);

/* Offset behind the last whole record of FD; -1 if the file is of another kind. */
typedef off_t (*sink_file_end)(int fd, const void *header, size_t header_len);

/*
 * The same for a file that begins with HEADER, which must outlive it. Where PATH is such a file
 * already, half a record at its end is cut off; one that begins otherwise is set aside as PATH.1,
 * PATH.2, ….
 */
int sink_file_open_headed(struct sink_file *file, const char *path, const char *what,
    const void *header, size_t header_len, sink_file_end end);

/*
 * Writes RECORDS records of LEN bytes altogether, by one write(2) unless it is cut short, or the
 * header is due, or the end of a torn line. LEN may be 0, for these alone.
 */
bool sink_file_write(struct sink_file *file, const void *data, size_t len, uint64_t records);

/* The same of what lies in COUNT pieces, SINK_FILE_PIECES_MAX at most; none is kept. */
bool sink_file_write_pieces(
    struct sink_file *file, const struct iovec *pieces, int count, uint64_t records);

/* Reopens the path, if another file or none stands there now. True if it is another file. */
bool sink_file_reopen(struct sink_file *file);

void sink_file_close(struct sink_file *file);

#endif
