#include "lib/hostport.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "lib/slice.h"

/* Digits only: strtoul would take spaces and signs. */
static int port_parse(uint16_t *port, struct slice text)
{
    unsigned value = 0;
    if (text.len == 0 || text.len > 5)
        return UV_EINVAL;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.data[i]))
            return UV_EINVAL;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    if (value > 65535)
        return UV_EINVAL;
    *port = (uint16_t)value;
    return 0;
}

static int host_set(struct hostport *hostport, struct slice host, const char **why)
{
    *why = "the host is missing";
    if (host.len == 0)
        return UV_EINVAL;
    *why = "the host is longer than a DNS name can be";
    if (host.len >= sizeof hostport->host)
        return UV_EINVAL;
    *why = "the host has a character that no host name has";
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.data[i];
        if (!isalnum(c) && !strchr("-._:%~", c))
            return UV_EINVAL;
    }
    memcpy(hostport->host, host.data, host.len);
    hostport->host[host.len] = '\0';
    return 0;
}

/* Splits "[::1]:80", "[::1]", "host:80" or "host"; PORT is absent where none was written. */
static int hostport_split(struct slice text, struct slice *host, struct slice *port)
{
    *port = slice_of(NULL, 0);
    if (text.len > 0 && text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.len);
        if (!end)
            return UV_EINVAL;
        *host = slice_of(text.data + 1, (size_t)(end - text.data) - 1);
        size_t used = (size_t)(end - text.data) + 1;
        if (!memchr(host->data, ':', host->len))
            return UV_EINVAL;
        if (used == text.len)
            return 0;
        if (text.data[used] != ':')
            return UV_EINVAL;
        *port = slice_of(text.data + used + 1, text.len - used - 1);
        return 0;
    }
    const char *colon = memchr(text.data, ':', text.len);
    *host = slice_of(text.data, colon ? (size_t)(colon - text.data) : text.len);
    if (colon)
        *port = slice_of(colon + 1, text.len - host->len - 1);
    return 0;
}

int hostport_parse(struct hostport *hostport, const char *text, const char **why)
{
    struct slice host, port;
    *why = "an IPv6 address stands in brackets, as in [::1]:8080";
    if (hostport_split(slice_str(text), &host, &port))
        return UV_EINVAL;
    *why = "a port is missing, as in 127.0.0.1:8080";
    if (!port.data)
        return UV_EINVAL;
    *why = "the port is no number from 0 to 65535";
    if (port_parse(&hostport->port, port))
        return UV_EINVAL;
    return host_set(hostport, host, why);
}

static int target_set(struct http_url *url, struct slice target, const char **why)
{
    *why = "the path is too long";
    if (target.len + 2 > sizeof url->target)
        return UV_EINVAL;
    *why = "the path has a space, a control character or a #fragment";
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.data[i];
        if (c <= ' ' || c >= 0x7f || c == '#')
            return UV_EINVAL;
    }
    snprintf(url->target, sizeof url->target, "%s%.*s",
        target.len && target.data[0] == '/' ? "" : "/", (int)target.len,
        target.len ? target.data : "");
    return 0;
}

int http_url_parse(struct http_url *url, const char *text, const char **why)
{
    static const char *const schemes[] = {"http://", "https://"};
    url->tls = strncasecmp(text, schemes[1], strlen(schemes[1])) == 0;
    *why = "it does not begin with http:// or https://";
    if (strncasecmp(text, schemes[url->tls], strlen(schemes[url->tls])) != 0)
        return UV_EINVAL;
    text += strlen(schemes[url->tls]);
    struct slice authority = slice_of(text, strcspn(text, "/?#")), host, port;
    *why = "a user name or password in a URL is not supported";
    if (memchr(authority.data, '@', authority.len))
        return UV_EINVAL;
    *why = "the host and port cannot be told apart";
    if (hostport_split(authority, &host, &port))
        return UV_EINVAL;
    url->origin.port = url->tls ? 443 : 80;
    *why = "the port is no number from 1 to 65535";
    if (port.data && (port_parse(&url->origin.port, port) || url->origin.port == 0))
        return UV_EINVAL;
    if (host_set(&url->origin, host, why))
        return UV_EINVAL;
    snprintf(url->authority, sizeof url->authority, "%.*s", (int)authority.len, authority.data);
    return target_set(url, slice_str(text + authority.len), why);
}

int hostport_literal(const struct hostport *hostport, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    if (uv_ip4_addr(hostport->host, hostport->port, (struct sockaddr_in *)address) == 0)
        return 0;
    if (!strchr(hostport->host, ':'))
        return UV_EINVAL;
    return uv_ip6_addr(hostport->host, hostport->port, (struct sockaddr_in6 *)address);
}

/* The number in decimal, from AT on; the end of it. */
static char *put_number(char *at, unsigned int number)
{
    char digits[16], *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    size_t len = (size_t)(digits + sizeof digits - first);
    memcpy(at, first, len);
    return at + len;
}

/* Each connection has some of these: printf would cost more than all else that it is told. */
static void ipv4_text(const unsigned char *bytes, in_port_t port, char *out, size_t size)
{
    char text[SOCKADDR_TEXT_MAX], *at = text;
    for (size_t i = 0; i < 4; i++) {
        at = put_number(at, bytes[i]);
        *at++ = i < 3 ? '.' : ':';
    }
    at = put_number(at, ntohs(port));
    *at = '\0';
    size_t len = (size_t)(at - text);
    if (len >= size)
        len = size - 1;
    memcpy(out, text, len);
    out[len] = '\0';
}

const char *sockaddr_text(const struct sockaddr *address, char *out, size_t size)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        ipv4_text((const unsigned char *)&in->sin_addr, in->sin_port, out, size);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        char host[INET6_ADDRSTRLEN] = "?";
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            ipv4_text(&in6->sin6_addr.s6_addr[12], in6->sin6_port, out, size);
        else
            snprintf(out, size, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, size, "?");
    }
    return out;
}

bool sockaddr_is_any(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr ==
               htonl(INADDR_ANY);
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_UNSPECIFIED(in6) ||
           (IN6_IS_ADDR_V4MAPPED(in6) && memcmp(&in6->s6_addr[12], "\0\0\0", 4) == 0);
}
