#include "lib/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/log.h"

#define HELP_COLUMN 30 /* where the sentences begin */
#define HELP_WIDTH 96

/* Where a value came from, for errors: "--listen" or "MITM_LISTEN". */
struct origin {
    const char *prefix, *name;
};

static int set_flag(bool *target, const char *value)
{
    static const char *const on[] = {"1", "true", "yes", "on"};
    static const char *const off[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < sizeof on / sizeof on[0]; i++)
        if (strcasecmp(value, on[i]) == 0)
            return *target = true, 0;
    for (size_t i = 0; i < sizeof off / sizeof off[0]; i++)
        if (strcasecmp(value, off[i]) == 0)
            return *target = false, 0;
    return -1;
}

static int set_number(const struct option *option, const char *value)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || errno || number < option->min ||
        number > option->max)
        return -1;
    *(uint64_t *)option->target = number;
    return 0;
}

static int set_choice(const struct option *option, const char *value)
{
    for (int i = 0; option->choices[i]; i++)
        if (strcmp(option->choices[i], value) == 0)
            return *(int *)option->target = i, 0;
    return -1;
}

static int append_item(struct option_list *list, const char *value)
{
    if (list->count == sizeof list->items / sizeof list->items[0])
        return -1;
    list->items[list->count++] = value;
    return 0;
}

static int option_set(const struct option *option, const char *value)
{
    switch (option->kind) {
    case OPTION_FLAG:
        return set_flag(option->target, value);
    case OPTION_STRING:
        *(const char **)option->target = value;
        return 0;
    case OPTION_NUMBER:
        return set_number(option, value);
    case OPTION_CHOICE:
        return set_choice(option, value);
    case OPTION_LIST:
        return append_item(option->target, value);
    }
    return -1;
}

static void log_bad_value(const struct option *option, struct origin from, const char *value)
{
    char shown[256], wanted[256] = "another value";
    log_escape(slice_str(value), shown, sizeof shown);
    if (option->kind == OPTION_NUMBER) {
        snprintf(wanted, sizeof wanted, "a whole number from %llu to %llu",
            (unsigned long long)option->min, (unsigned long long)option->max);
    } else if (option->kind == OPTION_FLAG) {
        snprintf(wanted, sizeof wanted, "1 or 0");
    } else if (option->kind == OPTION_LIST) {
        snprintf(wanted, sizeof wanted, "64 of them at most");
    } else if (option->kind == OPTION_CHOICE) {
        size_t len = (size_t)snprintf(wanted, sizeof wanted, "one of");
        for (int i = 0; option->choices[i] && len < sizeof wanted; i++)
            len += (size_t)snprintf(
                wanted + len, sizeof wanted - len, "%s %s", i ? "," : "", option->choices[i]);
    }
    log_error("%s%s does not take '%s': it takes %s", from.prefix, from.name, shown, wanted);
}

static enum options_result option_apply(
    const struct option *option, struct origin from, const char *value)
{
    if (option_set(option, value) == 0)
        return OPTIONS_OK;
    log_bad_value(option, from, value);
    return OPTIONS_USAGE;
}

static enum options_result read_environment(const struct option *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *value = table[i].env ? getenv(table[i].env) : NULL;
        if (!value || (!*value && table[i].kind != OPTION_FLAG))
            continue; /* an empty variable is an unset one: Compose passes those */
        if (option_apply(&table[i], (struct origin){"", table[i].env}, value))
            return OPTIONS_USAGE;
    }
    return OPTIONS_OK;
}

static const struct option *find_option(const struct option *table, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_is(name, table[i].name))
            return &table[i];
    return NULL;
}

/* Prints SENTENCE from the help column on, wrapped at words. */
static void print_wrapped(const char *sentence)
{
    size_t room = HELP_WIDTH - HELP_COLUMN;
    while (strlen(sentence) > room) {
        size_t cut = room;
        while (cut > 0 && sentence[cut] != ' ')
            cut--;
        if (cut == 0)
            cut = room;
        printf("%.*s\n%*s", (int)cut, sentence, HELP_COLUMN, "");
        sentence += cut + (sentence[cut] == ' ');
    }
    printf("%s\n", sentence);
}

static void print_option(const char *name, const char *value_name, const char *help)
{
    int len = printf("  --%s%s%s", name, value_name ? " " : "", value_name ? value_name : "");
    if (len >= HELP_COLUMN) {
        putchar('\n');
        len = 0;
    }
    printf("%*s", HELP_COLUMN - len, "");
    print_wrapped(help);
}

static void print_help(const struct program_help *help, const struct option *table, size_t count)
{
    printf("%s\n\nusage: %s %s\n\noptions:\n", help->summary, help->name, help->usage);
    for (size_t i = 0; i < count; i++) {
        char sentence[512];
        snprintf(sentence, sizeof sentence, "%s%s%s%s", table[i].help, table[i].env ? " [" : "",
            table[i].env ? table[i].env : "", table[i].env ? "]" : "");
        print_option(table[i].name, table[i].value_name, sentence);
    }
    print_option("help", NULL, "Print this and stop.");
    print_option("version", NULL, "Print the version and stop.");
    printf("\nA name in [brackets] is the environment variable that does the same; the option "
           "wins.\n\nexamples:\n%s",
        help->examples);
}

static bool prints_and_stops(
    const struct program_help *help, const struct option *table, size_t count, struct slice name)
{
    if (slice_is(name, "help")) {
        print_help(help, table, count);
        return true;
    }
    if (slice_is(name, "version")) {
        printf("%s %s\n", help->name, AGENT_MITM_VERSION);
        return true;
    }
    return false;
}

/* Takes argv[*i], which begins with "--", and its value. */
static enum options_result read_option(const struct program_help *help, const struct option *table,
    size_t count, int argc, char **argv, int *i)
{
    const char *word = argv[*i] + 2;
    const char *equals = strchr(word, '=');
    struct slice name = slice_of(word, equals ? (size_t)(equals - word) : strlen(word));
    if (prints_and_stops(help, table, count, name))
        return OPTIONS_DONE;
    const struct option *option = find_option(table, count, name);
    if (!option) {
        char shown[256];
        log_error("there is no option --%s: see %s --help", log_escape(name, shown, sizeof shown),
            help->name);
        return OPTIONS_USAGE;
    }
    const char *value = equals ? equals + 1 : NULL;
    if (!value && option->kind == OPTION_FLAG)
        value = "1";
    if (!value && *i + 1 < argc)
        value = argv[++*i];
    if (!value) {
        log_error("--%s needs a value: --%s %s", option->name, option->name, option->value_name);
        return OPTIONS_USAGE;
    }
    return option_apply(option, (struct origin){"--", option->name}, value);
}

/* A list given as options replaces the environment's: the flag wins, it does not add. */
static void forget_environment_list(const struct option *table, size_t count, int argc, char **argv)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].kind != OPTION_LIST)
            continue;
        size_t len = strlen(table[i].name);
        for (int j = 1; j < argc && strcmp(argv[j], "--") != 0; j++) {
            const char *word = argv[j];
            if (strncmp(word, "--", 2) == 0 && strncmp(word + 2, table[i].name, len) == 0 &&
                (word[2 + len] == '\0' || word[2 + len] == '='))
                ((struct option_list *)table[i].target)->count = 0;
        }
    }
}

enum options_result options_parse(const struct program_help *help, const struct option *table,
    size_t count, int argc, char **argv, const char **positionals, size_t max_positionals,
    size_t *n_positionals)
{
    size_t n = 0;
    bool only_positionals = false;
    log_init(help->name);
    enum options_result result = read_environment(table, count);
    forget_environment_list(table, count, argc, argv);
    for (int i = 1; i < argc && result == OPTIONS_OK; i++) {
        if (!only_positionals && strcmp(argv[i], "--") == 0) {
            only_positionals = true;
        } else if (!only_positionals && strcmp(argv[i], "-h") == 0) {
            print_help(help, table, count);
            result = OPTIONS_DONE;
        } else if (!only_positionals && strncmp(argv[i], "--", 2) == 0) {
            result = read_option(help, table, count, argc, argv, &i);
        } else if (n < max_positionals) {
            positionals[n++] = argv[i];
        } else {
            char shown[256];
            log_error("'%s' is one word too many: see %s --help",
                log_escape(slice_str(argv[i]), shown, sizeof shown), help->name);
            result = OPTIONS_USAGE;
        }
    }
    if (n_positionals)
        *n_positionals = n;
    return result;
}
