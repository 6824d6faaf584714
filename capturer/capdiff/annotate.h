/*
 * The packets of all captures in one pcapng file, by time, with what was found written on the
 * packets that carry it: `tshark -r FILE -Y frame.comment` shows only those, and Wireshark lists
 * them under "Analyze, Expert Information". Each capture is an interface of its own, with the
 * file's name.
 */
#ifndef CAPDIFF_ANNOTATE_H
#define CAPDIFF_ANNOTATE_H

#include <stdio.h>

#include "capturer/capdiff/report.h"

/*
 * Reads the captures again and writes FILE, whose error flag tells whether all of it arrived. 0, or
 * UV_E* with one sentence in ERR when a capture cannot be read any more.
 */
int annotate_write(const struct report *report, FILE *file, char *err, size_t err_size);

#endif
