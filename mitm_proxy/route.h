/*
 * Where a request to a forward proxy goes (RFC 9112 §3.2.2 and §3.2.3), and whether it may. No I/O.
 */
#ifndef MITM_PROXY_ROUTE_H
#define MITM_PROXY_ROUTE_H

#include <stdbool.h>

#include "lib/buf.h"
#include "lib/http_head.h"
#include "lib/options.h"
#include "mitm_proxy/destination.h"

/* The destination of a target in absolute-form, and in PATH what is asked for there. */
bool route_absolute(struct slice target, struct destination *to, struct slice *path);

/* The destination of a CONNECT. */
bool route_connect(struct slice target, struct destination *to);

/* PATTERNS are globs for HOST or HOST:PORT; no port is any. An IPv6 address stands in brackets. */
bool route_is_allowed(const struct option_list *patterns, const struct destination *to);

/* Why no destination can ever match PATTERN, in words for people; NULL where one may. */
const char *route_pattern_fault(const char *pattern);

/* Hears of what of the head is not passed on as it came: NEW_VALUE is absent where it goes. */
struct route_watch {
    void (*on_field)(void *arg, struct slice name, struct slice old, struct slice new_value);
    void (*on_target)(void *arg, struct slice old, struct slice new_value);
    void *arg;
};

/*
 * Appends the head as the origin gets it: PATH for the target, AUTHORITY for the Host, and without
 * fields for proxies, whose names begin with Proxy-. Every other byte as it came. 0 or an error of
 * buf.h.
 */
int route_head(const struct http_head *head, struct slice path, struct slice authority,
    struct buf *out, const struct route_watch *watch) __attribute__((warn_unused_result));

#endif
