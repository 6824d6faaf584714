#include "mitm_proxy/route.h"

#include <stdio.h>

#include "mitm_proxy/rules.h"

/* Behind the authority of an absolute form; absent if that is none. */
static struct slice path_of(struct slice target)
{
    const char *authority = target.len > 0 ? memmem(target.data, target.len, "://", 3) : NULL;
    if (!authority)
        return slice_of(NULL, 0);
    const char *end = target.data + target.len, *at = authority + 3;
    while (at < end && *at != '/' && *at != '?')
        at++;
    return slice_of(at, (size_t)(end - at));
}

bool route_absolute(struct slice target, struct destination *to, struct slice *path)
{
    char text[2048];
    struct http_url url;
    const char *why;
    *path = path_of(target);
    size_t len = path->data ? (size_t)(path->data - target.data) : 0;
    if (len == 0 || len >= sizeof text)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)len, target.data);
    if (http_url_parse(&url, text, &why))
        return false;
    *to = (struct destination){.origin = url.origin, .tls = url.tls};
    snprintf(to->authority, sizeof to->authority, "%s", url.authority);
    return true;
}

bool route_connect(struct slice target, struct destination *to)
{
    const char *why;
    *to = (struct destination){0};
    snprintf(to->authority, sizeof to->authority, "%.*s", (int)target.len, target.data);
    return target.len < sizeof to->authority &&
           hostport_parse(&to->origin, to->authority, &why) == 0 && to->origin.port != 0;
}

bool route_is_allowed(const struct option_list *patterns, const struct destination *to)
{
    char host[HOSTPORT_TEXT_MAX], both[HOSTPORT_TEXT_MAX + 8];
    bool v6 = strchr(to->origin.host, ':');
    snprintf(host, sizeof host, v6 ? "[%s]" : "%s", to->origin.host);
    snprintf(both, sizeof both, "%s:%u", host, to->origin.port);
    for (size_t i = 0; i < patterns->count; i++) {
        struct slice glob = slice_str(patterns->items[i]);
        if (rule_glob_nocase(glob, slice_str(host)) || rule_glob_nocase(glob, slice_str(both)))
            return true;
    }
    return false;
}

const char *route_pattern_fault(const char *pattern)
{
    const char *colon = strrchr(pattern, ':');
    if (*pattern == '\0')
        return "it is empty";
    if (strpbrk(pattern, "/ \t"))
        return "there is nothing but a host and a port in it";
    if (strpbrk(pattern, "*\\") || !colon || pattern[strlen(pattern) - 1] == ']')
        return NULL;
    if (!strchr(pattern, '[') && strchr(pattern, ':') != colon)
        return "an IPv6 address stands in brackets";
    if (colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789?")] != '\0')
        return "the port is no number";
    return NULL;
}

static bool is_for_proxies(struct slice name)
{
    return name.len > 6 && strncasecmp(name.data, "Proxy-", 6) == 0;
}

/* Where the line of a field begins, and where the next one does. */
static struct slice line_of(const struct http_head *head, const struct http_field *field)
{
    const char *end = head->bytes.data + head->bytes.len;
    const char *from = field->value.data ? field->value.data + field->value.len : field->name.data;
    const char *lf = memchr(from, '\n', (size_t)(end - from));
    return slice_of(field->name.data, (size_t)((lf ? lf + 1 : end) - field->name.data));
}

/* What stands before the target, the target, and what of the start line is behind it. */
static int put_start(const struct http_head *head, struct slice path, struct buf *out,
    const struct route_watch *watch, const char **behind)
{
    const char *start = head->bytes.data, *target = head->target.data;
    bool query = path.len > 0 && path.data[0] == '?';
    struct slice now = path;
    if (path.len == 0 && slice_is(head->method, "OPTIONS"))
        now = slice_str("*"); /* RFC 9112 §3.2.4 */
    else if (path.len == 0 || query)
        now = slice_str("/");
    size_t before = out->len + (size_t)(target - start);
    int err = buf_append(out, start, (size_t)(target - start));
    if (!err)
        err = buf_append(out, now.data, now.len);
    if (!err && query)
        err = buf_append(out, path.data, path.len);
    if (!err)
        watch->on_target(watch->arg, head->target, slice_of(out->data + before, out->len - before));
    *behind = target + head->target.len;
    return err;
}

int route_head(const struct http_head *head, struct slice path, struct slice authority,
    struct buf *out, const struct route_watch *watch)
{
    const char *from;
    const char *end = head->bytes.data + head->bytes.len;
    int err = put_start(head, path, out, watch, &from);
    for (size_t i = 0; !err && i < head->n_fields; i++) {
        const struct http_field *field = &head->fields[i];
        bool host = slice_is_nocase(field->name, "Host");
        if (!is_for_proxies(field->name) && !(host && !slice_equal(field->value, authority)))
            continue;
        struct slice line = line_of(head, field);
        const char *stop = host ? field->value.data : line.data;
        watch->on_field(
            watch->arg, field->name, field->value, host ? authority : slice_of(NULL, 0));
        err = buf_append(out, from, (size_t)(stop - from));
        if (!err && host)
            err = buf_append(out, authority.data, authority.len);
        from = host ? field->value.data + field->value.len : line.data + line.len;
    }
    return err ? err : buf_append(out, from, (size_t)(end - from));
}
