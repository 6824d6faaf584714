/*
 * What the JSON report and the JSON listing have in common.
 */
#ifndef CAPDIFF_REPORT_JSON_H
#define CAPDIFF_REPORT_JSON_H

#include <cjson/cJSON.h>

#include "capturer/capdiff/evidence.h"

/* What each capture is worth: an array for the caller to free. ALONE: it is nobody's in particular.
 */
cJSON *report_json_quality(const struct evidence *evidence, bool alone);

#endif
