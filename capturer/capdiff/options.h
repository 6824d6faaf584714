/*
 * The command line of capdiff, checked.
 */
#ifndef CAPDIFF_OPTIONS_H
#define CAPDIFF_OPTIONS_H

#include "capturer/capdiff/legs.h"
#include "lib/options.h"
#include "lib/redact.h"

enum format {
    FORMAT_TEXT,
    FORMAT_JSON,
    FORMAT_HTML,
    FORMAT_JUNIT,
};

enum color {
    COLOR_AUTO,
    COLOR_ALWAYS,
    COLOR_NEVER,
};

struct capdiff_options {
    const char *proxy_path, *server_path; /* server_path NULL: one capture is only listed */
    uint64_t follow;                      /* an exchange of it; 0: all are listed */
    const char *client_path;              /* NULL: agent_a's side was not recorded */
    const char *exchange_log_path;        /* NULL: none */
    const char *output_path;              /* NULL: stdout */
    const char *annotate_path;            /* NULL: none */
    const char *har_path;                 /* a directory; NULL: no archives */
    int format, color;                    /* enum format, enum color */
    uint64_t wait_s;
    uint64_t hold_mib;                  /* OPTIONS_HOLD: as the report needs */
    uint64_t proxy_drops, server_drops; /* packets that the recorders said they lost */
    struct option_list ignore; /* JSON pointers begin with "/", anything else is a field's name */
    struct redact redact;      /* what no report shows */
    struct legs_ports ports;
};

#define OPTIONS_HOLD UINT64_MAX

/* As options_parse: OPTIONS_USAGE after one line on stderr. Everything is borrowed from argv. */
enum options_result capdiff_options_read(struct capdiff_options *options, int argc, char **argv);

#endif
