#include "mitm_proxy/tls_names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/tls.h"

#define LABEL_MAX 63
#define SHOWN 80 /* bytes of what was given, in a sentence */

static bool complain(char *why, struct slice text, const char *problem)
{
    char shown[SHOWN];
    snprintf(why, TLS_WHY_MAX, "'%s' is %s", log_escape(text, shown, sizeof shown), problem);
    return false;
}

static bool read_address(struct tls_name *name)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        if (inet_pton(families[i], name->text, name->address) != 1)
            continue;
        name->address_len = i == 0 ? 4 : 16;
        inet_ntop(families[i], name->address, name->text, sizeof name->text);
        return true;
    }
    return false;
}

static bool only_has_letters_of_names(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-_.", *text))
            return false;
    return true;
}

static bool has_good_labels(const char *text)
{
    for (;;) {
        size_t len = strcspn(text, ".");
        if (len == 0 || len > LABEL_MAX)
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

bool tls_name_read(struct tls_name *name, struct slice host, char *why)
{
    *name = (struct tls_name){0};
    struct slice text = host;
    if (text.len > 1 && text.data[text.len - 1] == '.')
        text.len--;
    if (text.len >= sizeof name->text)
        return complain(why, host, "longer than a host name may be: 253 bytes");
    if (text.len > 0 && memchr(text.data, '\0', text.len))
        return complain(why, host, "no host name: there is a zero byte in it");
    for (size_t i = 0; i < text.len; i++)
        name->text[i] = (char)tolower((unsigned char)text.data[i]);
    if (read_address(name))
        return true;
    if (!only_has_letters_of_names(name->text))
        return complain(why, host,
            "no host name: it has letters a to z, digits, '-', '_' and '.', and international "
            "names are written as xn--…");
    if (!has_good_labels(name->text))
        return complain(why, host, "no host name: between its dots are 1 to 63 bytes");
    return true;
}

static bool set_general(GENERAL_NAME *general, int type, const void *data, size_t len)
{
    ASN1_STRING *value =
        ASN1_STRING_type_new(type == GEN_DNS ? V_ASN1_IA5STRING : V_ASN1_OCTET_STRING);
    if (!value || ASN1_STRING_set(value, data, (int)len) != 1) {
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(general, type, value);
    return true;
}

GENERAL_NAME *tls_name_general(const struct tls_name *name)
{
    GENERAL_NAME *general = GENERAL_NAME_new();
    if (general &&
        !(name->address_len ? set_general(general, GEN_IPADD, name->address, name->address_len)
                            : set_general(general, GEN_DNS, name->text, strlen(name->text)))) {
        GENERAL_NAME_free(general);
        return NULL;
    }
    return general;
}

/* An address and its mask, one behind the other. */
struct network {
    unsigned char bytes[32];
    size_t len; /* 8 or 32 */
};

/* The mask of PREFIX bits; false where the address has bits beyond it. */
static bool set_mask(struct network *network, size_t prefix)
{
    size_t half = network->len / 2;
    for (size_t i = 0; i < half; i++) {
        size_t bits = prefix >= 8 * (i + 1) ? 8 : prefix > 8 * i ? prefix - 8 * i : 0;
        network->bytes[half + i] = (unsigned char)(0xFF00U >> bits);
        if (network->bytes[i] & ~network->bytes[half + i] & 0xFF)
            return false;
    }
    return true;
}

/* SLASH: where the prefix begins, or NULL. */
static bool read_network(
    struct network *network, const struct tls_name *address, const char *slash, char *why)
{
    char *end = NULL;
    unsigned long prefix = 8 * address->address_len;
    if (slash) {
        unsigned long max = prefix;
        prefix = strtoul(slash + 1, &end, 10);
        if (!isdigit((unsigned char)slash[1]) || *end || prefix > max)
            return complain(why, slice_str(slash), "no prefix: as in 10.0.0.0/8 or fd00::/8");
    }
    *network = (struct network){.len = 2 * address->address_len};
    memcpy(network->bytes, address->address, address->address_len);
    if (!set_mask(network, prefix))
        return complain(why, slice_str(address->text),
            "no network's first address: it has bits behind the prefix");
    return true;
}

static bool add_subtree(
    STACK_OF(GENERAL_SUBTREE) * *subtrees, int type, const void *data, size_t len)
{
    GENERAL_SUBTREE *subtree = GENERAL_SUBTREE_new();
    if (!*subtrees)
        *subtrees = sk_GENERAL_SUBTREE_new_null();
    if (subtree && *subtrees && set_general(subtree->base, type, data, len) &&
        sk_GENERAL_SUBTREE_push(*subtrees, subtree) > 0)
        return true;
    GENERAL_SUBTREE_free(subtree);
    return false;
}

static bool no_memory(char *why)
{
    snprintf(why, TLS_WHY_MAX, "out of memory");
    return false;
}

/* What TEXT permits. *TYPE is its kind then. */
static bool permit(NAME_CONSTRAINTS *constraints, const char *text, int *type, char *why)
{
    struct tls_name name;
    struct network network;
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    if (!tls_name_read(&name, slice_of(text, len), why))
        return false;
    *type = name.address_len ? GEN_IPADD : GEN_DNS;
    if (*type == GEN_DNS) {
        const char *dot = strrchr(name.text, '.'), *last = dot ? dot + 1 : name.text;
        if (slash || strspn(last, "0123456789") == strlen(last))
            return complain(why, slice_str(text),
                "neither a DNS name, as example.test, nor a network, as 10.0.0.0/8");
        return add_subtree(&constraints->permittedSubtrees, *type, name.text, strlen(name.text)) ||
               no_memory(why);
    }
    return read_network(&network, &name, slash, why) &&
           (add_subtree(&constraints->permittedSubtrees, *type, network.bytes, network.len) ||
               no_memory(why));
}

static bool exclude_all_names(NAME_CONSTRAINTS *constraints)
{
    return add_subtree(&constraints->excludedSubtrees, GEN_DNS, "", 0);
}

static bool exclude_all_addresses(NAME_CONSTRAINTS *constraints)
{
    static const unsigned char all[32] = {0};
    return add_subtree(&constraints->excludedSubtrees, GEN_IPADD, all, 8) &&
           add_subtree(&constraints->excludedSubtrees, GEN_IPADD, all, 32);
}

NAME_CONSTRAINTS *tls_constraints_new(const char *const *texts, size_t count, char *why)
{
    bool names = false, addresses = false, ok = true;
    NAME_CONSTRAINTS *constraints = NAME_CONSTRAINTS_new();
    if (!constraints) {
        no_memory(why);
        return NULL;
    }
    for (size_t i = 0; ok && i < count; i++) {
        int type;
        ok = permit(constraints, texts[i], &type, why);
        names = names || (ok && type == GEN_DNS);
        addresses = addresses || (ok && type == GEN_IPADD);
    }
    if (ok && ((!names && !exclude_all_names(constraints)) ||
                  (!addresses && !exclude_all_addresses(constraints))))
        ok = no_memory(why);
    if (!ok) {
        NAME_CONSTRAINTS_free(constraints);
        return NULL;
    }
    return constraints;
}
