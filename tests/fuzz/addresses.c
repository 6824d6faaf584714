/*
 * Where things are and go: HOST:PORT, URLs, targets of requests, and the globs that allow them.
 * Input: lines. The first is an address, the second a glob, further ones are patterns of --allow.
 */
#include <string.h>
#include <uv.h>

#include "lib/http_target.h"
#include "mitm_proxy/route.h"
#include "mitm_proxy/rules.h"
#include "tests/fuzz/fuzz.h"

#define LINES_MAX 6
#define LINE_MAX_BYTES 600
#define GLOB_MAX 12 /* bytes that the simple reading below is tried with */

static void check_hostport(const char *text)
{
    struct hostport hostport, again;
    struct sockaddr_storage address;
    const char *why = NULL;
    char shown[HOSTPORT_TEXT_MAX];
    if (hostport_parse(&hostport, text, &why)) {
        PROMISE(why && why[0]);
        return;
    }
    PROMISE(hostport.host[0] && strlen(hostport.host) < HOSTPORT_HOST_MAX);
    if (hostport_literal(&hostport, &address) != 0)
        return;
    sockaddr_text((const struct sockaddr *)&address, shown, sizeof shown);
    if (strchr(hostport.host, '%') || strstr(hostport.host, "ffff:"))
        return; /* a zone is no part of the text; an IPv4 address may have been mapped */
    PROMISE(hostport_parse(&again, shown, &why) == 0);
}

static void check_url(const char *text)
{
    struct http_url url;
    const char *why = NULL;
    if (http_url_parse(&url, text, &why)) {
        PROMISE(why && why[0]);
        return;
    }
    PROMISE(url.origin.host[0] && url.target[0] == '/');
    PROMISE(strstr(text, url.authority));
    PROMISE(!strpbrk(url.target, " \r\n"));
    PROMISE(!strpbrk(url.authority, " \r\n/"));
}

static void check_destination(const struct destination *to, const struct option_list *patterns)
{
    static const struct option_list all = {.items = {"*"}, .count = 1};
    static const struct option_list none = {.count = 0};
    PROMISE(to->origin.host[0] && to->authority[0]);
    PROMISE(http_is_host(slice_str(to->authority)));
    PROMISE(route_is_allowed(&all, to) && !route_is_allowed(&none, to));
    (void)route_is_allowed(patterns, to);
}

static void check_target(struct slice target, const struct option_list *patterns)
{
    struct destination to;
    struct slice path;
    struct slice authority = http_target_authority(target);
    PROMISE((authority.data != NULL) == (http_target_scheme(target).data != NULL));
    /* http_head has looked at the authority before anybody asks for the route */
    if (authority.len > 0 && http_is_host(authority) && route_absolute(target, &to, &path)) {
        PROMISE(path.data);
        check_destination(&to, patterns);
    }
    if (http_is_host(target) && route_connect(target, &to))
        check_destination(&to, patterns);
}

/* The same as rule_glob, as simply as it can be said. */
static bool glob(const char *pattern, const char *text)
{
    if (*pattern == '*')
        return glob(pattern + 1, text) || (*text && glob(pattern, text + 1));
    if (*pattern == '?')
        return *text && glob(pattern + 1, text + 1);
    if (*pattern == '\\' && pattern[1])
        pattern++;
    if (!*pattern)
        return !*text;
    return *pattern == *text && glob(pattern + 1, text + 1);
}

static void check_glob(const char *pattern, const char *text)
{
    bool found = rule_glob(slice_str(pattern), slice_str(text));
    PROMISE(!found || rule_glob_nocase(slice_str(pattern), slice_str(text)));
    if (strlen(pattern) <= GLOB_MAX && strlen(text) <= GLOB_MAX)
        PROMISE(found == glob(pattern, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char lines[LINES_MAX][LINE_MAX_BYTES];
    struct option_list patterns = {.count = 0};
    size_t count = 0, at = 0;
    memset(lines, 0, sizeof lines);
    for (size_t i = 0; i < len && count < LINES_MAX; i++) {
        if (data[i] == '\n' || data[i] == '\0') {
            count++;
            at = 0;
        } else if (at + 1 < LINE_MAX_BYTES) {
            lines[count][at++] = (char)data[i];
        }
    }
    for (size_t i = 2; i < LINES_MAX; i++)
        if (!route_pattern_fault(lines[i]))
            patterns.items[patterns.count++] = lines[i];
    check_hostport(lines[0]);
    check_url(lines[0]);
    check_target(slice_str(lines[0]), &patterns);
    (void)http_is_host(slice_str(lines[0]));
    check_glob(lines[1], lines[0]);
    return 0;
}
