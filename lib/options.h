/*
 * The command line of every program: a table of long options, each with an environment twin.
 *
 * A flag wins over the environment, the environment over the default that stands in the target.
 * Accepts "--name VALUE", "--name=VALUE" and "--" as the end of the options.
 */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* bool *: no value; in the environment 1, true, yes, on and their opposites */
    OPTION_STRING, /* const char **: borrowed from argv or the environment */
    OPTION_NUMBER, /* uint64_t *: decimal, between min and max */
    OPTION_CHOICE, /* int *: index of the value among choices */
    OPTION_LIST,   /* struct option_list *: repeatable; the environment gives one entry */
};

struct option_list {
    const char *items[64];
    size_t count;
};

struct option {
    const char *name; /* without the dashes */
    const char *env;  /* NULL: no environment twin */
    const char *value_name;
    const char *help; /* one sentence, with the default and the unit */
    enum option_kind kind;
    void *target;
    uint64_t min, max;          /* OPTION_NUMBER */
    const char *const *choices; /* OPTION_CHOICE: NULL-terminated */
};

struct program_help {
    const char *name;
    const char *summary;  /* one sentence */
    const char *usage;    /* after "usage: NAME " */
    const char *examples; /* whole lines, indented by two spaces */
};

enum options_result {
    OPTIONS_OK,
    OPTIONS_DONE,  /* --help or --version was printed: exit 0 */
    OPTIONS_USAGE, /* an error was logged: exit 2 */
};

/*
 * Reads the environment and argv into the targets. Words that are no options go to POSITIONALS,
 * at most MAX_POSITIONALS of them (more is a usage error); *N_POSITIONALS is set.
 * The table has COUNT rows; --help and --version are always there.
 */
enum options_result options_parse(const struct program_help *help, const struct option *table,
    size_t count, int argc, char **argv, const char **positionals, size_t max_positionals,
    size_t *n_positionals);

#endif
