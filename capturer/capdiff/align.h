/*
 * The exchanges of one connection against those of its counterpart: which is which.
 *
 * As long as the requests are alike, the k-th is the k-th. Where one side has an exchange that the
 * other has not, the next that is surely the same on both sets the count right again. Where bytes
 * of one of the connections were not recorded, only what is surely the same is joined: the same
 * place in the byte stream, or the same call id.
 */
#ifndef CAPDIFF_ALIGN_H
#define CAPDIFF_ALIGN_H

#include "capturer/capdiff/connection.h"

/*
 * Sets `after` of the exchanges of NEAR and `before` of those of FAR, from those on that are not
 * decided. What has no counterpart has NULL. COMPLETE: no more of them will be read; else a call id
 * proves nothing of the last exchange on a connection that goes on, as the next may have it, too.
 */
void align_exchanges(struct connection *near, struct connection *far, bool complete);

/* Surely the same call: equal request bytes, or the same call id. */
bool align_same_call(const struct exchange *a, const struct exchange *b);

/* The request line, or what there is of it; empty where there is none. */
struct slice align_start_line(const struct exchange *exchange);

/* The same for people: "TLS" where that is what it is. */
struct slice align_title(const struct exchange *exchange);

/*
 * The request lines ask for the same, also where only one of them says of whom: what a forward
 * proxy is told, and passes on without that (RFC 9112 §3.2).
 */
bool align_same_line(const struct exchange *a, const struct exchange *b);

/* The same for both of such lines; 0 where there is none. */
uint64_t align_line_hash(const struct exchange *exchange);

#endif
