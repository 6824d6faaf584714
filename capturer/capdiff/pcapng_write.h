/*
 * Writes a pcapng file (draft-ietf-opsawg-pcapng): one section in this machine's byte order,
 * interfaces with nanoseconds, packets with comments.
 */
#ifndef CAPDIFF_PCAPNG_WRITE_H
#define CAPDIFF_PCAPNG_WRITE_H

#include <stdint.h>
#include <stdio.h>

#include "capturer/capdiff/savefile.h"
#include "lib/slice.h"

/* The section's header; must come first. */
void pcapng_write_section(FILE *file, struct slice program, struct slice comment);

/* The next interface, counted from 0. */
void pcapng_write_interface(FILE *file, int link, struct slice name);

/* A packet on INTERFACE, with its comments: UTF-8, at most PCAPNG_COMMENT_MAX bytes are used. */
#define PCAPNG_COMMENT_MAX ((size_t)16 * 1024)
void pcapng_write_packet(FILE *file, uint32_t interface, const struct savefile_packet *packet,
    const struct slice *comments, size_t n_comments);

#endif
