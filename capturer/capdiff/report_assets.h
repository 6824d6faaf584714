/*
 * What the HTML report carries with it: report.css and report.js, embedded at build time.
 */
#ifndef CAPDIFF_REPORT_ASSETS_H
#define CAPDIFF_REPORT_ASSETS_H

extern const char report_css[];
extern const char report_js[];

#endif
