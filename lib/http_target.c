#include "lib/http_target.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "lib/http_chars.h"

static bool is_reg_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (http_char_is(name.data[i], HTTP_HOST))
            continue;
        if (name.data[i] != '%' || name.len - i < 3 || !isxdigit((unsigned char)name.data[i + 1]) ||
            !isxdigit((unsigned char)name.data[i + 2]))
            return false;
        i += 2;
    }
    return true;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool is_future_address(struct slice text)
{
    size_t i = 1;
    while (i < text.len && isxdigit((unsigned char)text.data[i]))
        i++;
    if (i == 1 || i + 1 >= text.len || text.data[i] != '.')
        return false;
    while (++i < text.len)
        if (text.data[i] != ':' && !http_char_is(text.data[i], HTTP_HOST))
            return false;
    return true;
}

/* What stands in brackets. */
static bool is_address(struct slice text)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    if (text.len > 0 && (text.data[0] == 'v' || text.data[0] == 'V'))
        return is_future_address(text);
    if (text.len >= sizeof address)
        return false;
    memcpy(address, text.data, text.len);
    address[text.len] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

bool http_is_host(struct slice host)
{
    if (host.len == 0)
        return true;
    const char *end = host.data + host.len, *port = memchr(host.data, ':', host.len);
    if (host.data[0] == '[') {
        const char *bracket = memchr(host.data, ']', host.len);
        if (!bracket || !is_address(slice_of(host.data + 1, (size_t)(bracket - host.data) - 1)))
            return false;
        port = bracket + 1;
    } else if (!is_reg_name(slice_of(host.data, port ? (size_t)(port - host.data) : host.len))) {
        return false;
    }
    if (!port || port == end)
        return true;
    if (*port != ':')
        return false;
    while (++port < end)
        if (!isdigit((unsigned char)*port))
            return false;
    return true;
}

struct slice http_target_scheme(struct slice target)
{
    bool absolute = target.len > 0 && target.data[0] != '/';
    const char *end = absolute ? memmem(target.data, target.len, "://", 3) : NULL;
    return end ? slice_of(target.data, (size_t)(end - target.data)) : slice_of(NULL, 0);
}

struct slice http_target_authority(struct slice target)
{
    struct slice scheme = http_target_scheme(target);
    if (!scheme.data)
        return slice_of(NULL, 0);
    struct slice rest = slice_of(target.data + scheme.len + 3, target.len - scheme.len - 3);
    size_t len = 0;
    while (len < rest.len && !strchr("/?", rest.data[len]))
        len++;
    return slice_of(rest.data, len);
}

struct slice http_target_path(struct slice target)
{
    struct slice authority = http_target_authority(target);
    if (authority.data) {
        const char *end = authority.data + authority.len;
        target = slice_of(end, (size_t)(target.data + target.len - end));
        if (target.len == 0 || target.data[0] == '?')
            return slice_str("/");
    }
    const char *query = memchr(target.data, '?', target.len);
    return query ? slice_of(target.data, (size_t)(query - target.data)) : target;
}
