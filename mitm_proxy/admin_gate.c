#include "mitm_proxy/admin_gate.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>

#include "lib/crypto.h"

/* 127.0.0.0/8, ::1, and the former as IPv6 writes it. */
static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
}

bool admin_gate_is_local(const struct hostport *where)
{
    struct sockaddr_storage address;
    if (hostport_literal(where, &address) == 0)
        return is_loopback(&address);
    return strcasecmp(where->host, "localhost") == 0;
}

const char *admin_gate_token_fault(const char *token)
{
    size_t len = strlen(token);
    if (len < ADMIN_TOKEN_MIN)
        return "it is shorter than 16 characters";
    if (len > ADMIN_TOKEN_MAX)
        return "it is longer than 512 characters";
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)token[i]) && !strchr("-._~+/=", token[i]))
            return "it has a character other than letters, digits and -._~+/=";
    return NULL;
}

/* An IPv6 address may be written in several ways. */
static bool same_host(const struct hostport *asked, const char *name)
{
    struct in6_addr a, b;
    return strcasecmp(asked->host, name) == 0 ||
           (inet_pton(AF_INET6, asked->host, &a) == 1 && inet_pton(AF_INET6, name, &b) == 1 &&
               IN6_ARE_ADDR_EQUAL(&a, &b));
}

/* What is in a Host field has been found to be a host, with or without a port. */
static bool read_host(struct slice text, struct hostport *host)
{
    char written[HOSTPORT_TEXT_MAX + 8];
    struct http_url url;
    const char *why;
    int len = snprintf(written, sizeof written, "http://%.*s", (int)text.len, text.data);
    if (text.len == 0 || (size_t)len >= sizeof written || http_url_parse(&url, written, &why))
        return false;
    *host = url.origin;
    return true;
}

/*
 * A page that had its own name resolved to this port's address says that name in Host. It cannot
 * say an address: so where the port is on all addresses, which may have others outside, any will
 * do.
 */
static bool host_is_ours(const struct admin_gate *gate, struct slice host)
{
    struct sockaddr_storage address, listen;
    struct hostport asked;
    if (!read_host(host, &asked))
        return false;
    if (admin_gate_is_local(&asked) || same_host(&asked, gate->listen.host))
        return true;
    for (size_t i = 0; i < gate->hosts.count; i++)
        if (same_host(&asked, gate->hosts.items[i]))
            return true;
    return hostport_literal(&asked, &address) == 0 &&
           hostport_literal(&gate->listen, &listen) == 0 &&
           sockaddr_is_any((const struct sockaddr *)&listen);
}

/* A browser says where a page is from, wherever it matters (RFC 6454 §7). Nothing else does. */
static bool origin_is_ours(const struct http_head *head, struct slice host)
{
    static const char scheme[] = "http://";
    const size_t len = sizeof scheme - 1;
    for (size_t i = 0; i < head->n_fields; i++) {
        struct slice origin = head->fields[i].value;
        if (!slice_is_nocase(head->fields[i].name, "Origin"))
            continue;
        if (origin.len != len + host.len || strncasecmp(origin.data, scheme, len) != 0 ||
            strncasecmp(origin.data + len, host.data, host.len) != 0)
            return false;
    }
    return true;
}

static bool has_token(const struct admin_gate *gate, const struct http_head *head)
{
    static const char scheme[] = "Bearer ";
    struct slice said = http_head_field(head, "Authorization");
    if (said.len < sizeof scheme || strncasecmp(said.data, scheme, sizeof scheme - 1) != 0)
        return false;
    said = slice_trim(slice_of(said.data + sizeof scheme - 1, said.len - (sizeof scheme - 1)));
    return said.len == strlen(gate->token) && crypto_equal(said.data, gate->token, said.len);
}

/* What no form of another site can send, and no script unless it is let. */
static bool says_json(const struct http_head *head)
{
    static const char type[] = "application/json";
    struct slice said = http_head_field(head, "Content-Type");
    const size_t len = sizeof type - 1;
    return said.len >= len && strncasecmp(said.data, type, len) == 0 &&
           (said.len == len || said.data[len] == ';' || said.data[len] == ' ');
}

bool admin_gate_admits(const struct admin_gate *gate, const struct http_head *head, bool changes,
    struct http_problem *problem)
{
    struct slice host = http_head_field(head, "Host");
    if (!host_is_ours(gate, host)) {
        *problem = (struct http_problem){"host_not_allowed",
            "the Host is no name of this port: call it by its address, or allow the name with "
            "--admin-host",
            403};
        return false;
    }
    if (!origin_is_ours(head, host)) {
        *problem = (struct http_problem){
            "origin_not_allowed", "a page of another origin may not ask this port", 403};
        return false;
    }
    if (gate->token && !has_token(gate, head)) {
        *problem = (struct http_problem){"token_required",
            "this port wants Authorization: Bearer with the token of MITM_ADMIN_TOKEN", 401};
        return false;
    }
    if (changes && !gate->token && !says_json(head)) {
        *problem = (struct http_problem){"not_json",
            "what changes something is posted with Content-Type: application/json", 415};
        return false;
    }
    return true;
}
