#include "lib/http_target.h"

struct slice http_target_scheme(struct slice target)
{
    bool absolute = target.len > 0 && target.data[0] != '/';
    const char *end = absolute ? memmem(target.data, target.len, "://", 3) : NULL;
    return end ? slice_of(target.data, (size_t)(end - target.data)) : slice_of(NULL, 0);
}

struct slice http_target_path(struct slice target)
{
    struct slice scheme = http_target_scheme(target);
    if (scheme.data) {
        size_t end = scheme.len + 3; /* of the authority */
        while (end < target.len && target.data[end] != '/' && target.data[end] != '?')
            end++;
        target = slice_of(target.data + end, target.len - end);
        if (target.len == 0 || target.data[0] == '?')
            return slice_str("/");
    }
    const char *query = memchr(target.data, '?', target.len);
    return query ? slice_of(target.data, (size_t)(query - target.data)) : target;
}
