/*
 * Which findings speak of which exchange, and how each exchange came through each hop: what the
 * reports that list exchanges have in common.
 */
#ifndef CAPDIFF_REPORT_INDEX_H
#define CAPDIFF_REPORT_INDEX_H

#include "capturer/capdiff/report.h"

enum standing {
    CAME_SAME,    /* byte for byte */
    CAME_EXCUSED, /* it differs, as the log declares or an option ignores */
    CAME_UNSURE,  /* not whole in both views, or not seen in one */
    CAME_DIFFERENT,
    CAME_NOT, /* the hop is none of this exchange's: nobody recorded it */
};

struct report_index {
    const struct report *report;
    size_t *first; /* by crossing: its first finding, counted from 1; 0: none */
    size_t *next;  /* by finding: the next of the same exchange */
};

void report_index_init(struct report_index *index, const struct report *report);
void report_index_deinit(struct report_index *index);

/* The findings of an exchange, one after the other; NULL at the end. */
const struct finding *report_index_first(const struct report_index *index, size_t crossing);
const struct finding *report_index_next(
    const struct report_index *index, const struct finding *finding);

/* How the exchange came through a hop, and all in all. */
enum standing report_index_hop(const struct report_index *index, size_t crossing, enum hop hop);
enum standing report_index_standing(const struct report_index *index, size_t crossing);

/* The view on the client's side of a hop; the one on the server's side is the next. */
enum view hop_near(enum hop hop);

#endif
