/*
 * Findings that are alike: the same kind on the same hop at the same place, whatever the exchange
 * and the values. A proxy that changes one thing changes it a thousand times.
 */
#ifndef CAPDIFF_REPORT_GROUPS_H
#define CAPDIFF_REPORT_GROUPS_H

#include "capturer/capdiff/findings.h"

struct report_groups {
    size_t *group; /* by finding: the first one like it */
    size_t *rank;  /* by finding: how many like it came before */
    size_t *size;  /* by finding that is the first: how many there are */
};

void report_groups_init(struct report_groups *groups, const struct findings *findings);
void report_groups_deinit(struct report_groups *groups);

#endif
