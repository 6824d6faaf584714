/*
 * Packets that are meant to cost a reader more than they cost their sender. None of them carries
 * an exchange.
 */
#ifndef BENCH_FLOODS_H
#define BENCH_FLOODS_H

/* COUNT connections that are half open: a SYN each, at the proxy and as many at the server. */
void flood_syn(long count);

/* COUNT segments with data, each of another connection whose beginning nobody recorded. */
void flood_stray(long count);

/* COUNT connections with 16 KiB behind a hole that is never filled. */
void flood_holes(long count);

/*
 * COUNT connections that a table by an unkeyed FNV-1a of addresses and ports has in one bucket, 25
 * packets each.
 */
void flood_one_bucket(long count);

/* COUNT segments of one connection between the same ends, each a SYN with another number. */
void flood_same_ends(long count);

#endif
