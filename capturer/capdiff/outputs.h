/*
 * All that a run writes: the report, and what options ask for besides it. Nothing overwrites a file
 * that was read.
 */
#ifndef CAPDIFF_OUTPUTS_H
#define CAPDIFF_OUTPUTS_H

#include "capturer/capdiff/options.h"
#include "capturer/capdiff/report.h"

/* True, or false after one line on stderr; then a report may have been written in part. */
bool outputs_write(const struct report *report, const struct capdiff_options *options);

#endif
