#include "agent_a/forward_proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/slice.h"

#define PROXY_TEXT_MAX 2048

/* An empty variable is an unset one. *NAME is the one that has the value. */
static const char *read_environment(const char *const names[2], const char **name)
{
    for (int i = 0; i < 2; i++) {
        const char *value = getenv(names[i]);
        *name = names[i];
        if (value != NULL && *value != '\0')
            return value;
    }
    return NULL;
}

static bool is_own_machine(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

/* PATTERN is HOST's name, or a domain that it is in, or a star. */
static bool names_host(struct slice pattern, struct slice host)
{
    if (slice_is(pattern, "*"))
        return true;
    if (pattern.len > 0 && pattern.data[0] == '.')
        pattern = slice_of(pattern.data + 1, pattern.len - 1);
    if (pattern.len == 0 || pattern.len > host.len)
        return false;
    size_t rest = host.len - pattern.len;
    return strncasecmp(host.data + rest, pattern.data, pattern.len) == 0 &&
           (rest == 0 || host.data[rest - 1] == '.');
}

static bool is_excepted(const char *host)
{
    static const char *const names[2] = {"no_proxy", "NO_PROXY"};
    const char *name;
    const char *list = read_environment(names, &name);
    while (list != NULL && *list != '\0') {
        size_t len = strcspn(list, ",");
        if (names_host(slice_trim(slice_of(list, len)), slice_str(host)))
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

static int read_proxy(struct hostport *proxy, const char *text, const char *origin)
{
    char whole[PROXY_TEXT_MAX];
    char shown[256];
    struct http_url url;
    const char *why = "it is too long";
    bool scheme = strstr(text, "://") != NULL;
    int len = snprintf(whole, sizeof whole, "%s%s", scheme ? "" : "http://", text);
    bool good = (size_t)len < sizeof whole && http_url_parse(&url, whole, &why) == 0;
    if (good && url.tls)
        why = "TLS to a proxy is not supported";
    if (!good || url.tls) {
        log_error("cannot use the proxy '%s' of %s: %s; as in http://127.0.0.1:8080",
            log_escape(slice_str(text), shown, sizeof shown), origin, why);
        return -1;
    }
    *proxy = url.origin;
    return 1;
}

int forward_proxy_choose(struct hostport *proxy, const char *given, const struct http_url *url)
{
    static const char *const names[][2] = {
        {"http_proxy", "HTTP_PROXY"}, {"https_proxy", "HTTPS_PROXY"}};
    const char *origin;
    if (given != NULL)
        return read_proxy(proxy, given, "--proxy");
    const char *text = read_environment(names[url->tls], &origin);
    if (text == NULL || is_own_machine(url->origin.host) || is_excepted(url->origin.host))
        return 0;
    return read_proxy(proxy, text, origin);
}

bool forward_proxy_set_target(struct http_url *url)
{
    char target[sizeof url->target];
    int len = snprintf(target, sizeof target, "http://%s%s", url->authority, url->target);
    if ((size_t)len >= sizeof target)
        return false;
    memcpy(url->target, target, sizeof target);
    return true;
}

void forward_proxy_ask(const struct hostport *server, char out[FORWARD_PROXY_ASK_MAX])
{
    char authority[HOSTPORT_TEXT_MAX];
    bool bare = strchr(server->host, ':') != NULL;
    snprintf(authority, sizeof authority, bare ? "[%s]:%u" : "%s:%u", server->host, server->port);
    snprintf(out, FORWARD_PROXY_ASK_MAX,
        "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: agent_a/" AGENT_MITM_VERSION "\r\n\r\n",
        authority, authority);
}
