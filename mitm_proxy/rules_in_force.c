#include "mitm_proxy/rules_in_force.h"

#include <stdio.h>

#include "lib/log.h"
#include "mitm_proxy/rules_load.h"

/* The name that no rule has, or NULL. */
static const char *conceal(struct rules *rules, const struct option_list *concealed)
{
    for (size_t i = 0; i < concealed->count; i++) {
        size_t at = 0;
        while (at < rules->count && !slice_is(rules->list[at].name, concealed->items[i]))
            at++;
        if (at == rules->count)
            return concealed->items[i];
        rules->list[at].concealed = true;
    }
    return NULL;
}

struct rules *rules_in_force_load(const char *path, const struct option_list *concealed)
{
    struct buf errors;
    size_t count = 0;
    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules = rules_load(path, &errors, &count);
    struct slice rest = slice_of(errors.data, errors.len);
    while (!rules && rest.len > 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        int len = (int)(end ? end - rest.data : (ptrdiff_t)rest.len);
        log_error("%.*s", len, rest.data);
        rest = slice_of(rest.data + len + 1, end ? rest.len - (size_t)len - 1 : 0);
    }
    buf_deinit(&errors);
    const char *unknown = rules ? conceal(rules, concealed) : NULL;
    if (unknown) {
        log_error("--conceal '%s': no rule of %s has that name", unknown, path);
        rules_free(rules);
        return NULL;
    }
    return rules;
}

void rules_in_force_reload(
    struct rules **rules, const char *path, const struct option_list *concealed)
{
    struct buf errors;
    size_t count = 0;
    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *loaded = rules_load(path, &errors, &count);
    if (loaded) {
        (void)conceal(loaded, concealed); /* a rule may have gone, on purpose */
        rules_free(*rules);
        *rules = loaded;
        log_info("%s: %zu rule%s now", path, loaded->count, loaded->count == 1 ? "" : "s");
    } else {
        struct slice said = errors.len > 0 ? slice_of(errors.data, errors.len)
                                           : slice_str("out of memory\n"); /* even for that */
        const char *end = memchr(said.data, '\n', said.len);
        log_error("%.*s%s: the rules stay as they were; --check-rules says all",
            (int)(end ? end - said.data : 0), said.data, count > 1 ? ", and more" : "");
    }
    buf_deinit(&errors);
}

int rules_in_force_check(const char *path)
{
    struct buf errors;
    size_t count = 0;
    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules = rules_load(path, &errors, &count);
    if (errors.len > 0)
        fwrite(errors.data, 1, errors.len, stderr);
    if (rules)
        printf("%s: %zu rule%s, no error\n", path, rules->count, rules->count == 1 ? "" : "s");
    else
        fprintf(stderr, "%s: %zu error%s\n", path, count, count == 1 ? "" : "s");
    rules_free(rules);
    buf_deinit(&errors);
    return rules ? 0 : 2;
}
