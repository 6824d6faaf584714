/*
 * The exchange log: NDJSON, one record per exchange, failed ones too, each by one write(2).
 *
 * The record is in the file before the last byte of the response goes to the client.
 */
#ifndef MITM_PROXY_OBSERVE_EXCHANGES_H
#define MITM_PROXY_OBSERVE_EXCHANGES_H

#include "mitm_proxy/hash_chain.h"
#include "mitm_proxy/observer.h"
#include "mitm_proxy/sink_file.h"

struct observe_exchanges;

/* Appends to PATH. NULL with *ERR (UV_E*) on failure. */
struct observe_exchanges *observe_exchanges_new(const char *path, int *err);

/*
 * One more that writes to the file of FIRST, which has to outlive it and has no chain: for another
 * thread. NULL when there is no memory.
 */
struct observe_exchanges *observe_exchanges_join(struct observe_exchanges *first);

/*
 * From now on each record carries the hash of the line before, also of one that stands there
 * already. 0 or UV_E*.
 */
int observe_exchanges_chain(struct observe_exchanges *log);

/* The last line's hash, as it is then; NULL: there is no chain. */
const struct hash_chain *observe_exchanges_head(const struct observe_exchanges *log);

/* The observer; its close hook frees everything. */
struct observer observe_exchanges_observer(struct observe_exchanges *log);

/*
 * LOST says how many packets the capture has not recorded so far. A record tells how many have come
 * to that since the one before, where that is any.
 */
void observe_exchanges_watch_capture(
    struct observe_exchanges *log, uint64_t (*lost)(void *arg), void *arg);

/* The file, for its counter of lost records and its failure hook. */
struct sink_file *observe_exchanges_file(struct observe_exchanges *log);

#endif
