/*
 * Reads JSON objects by a table of their members and says all that is wrong, each with its place.
 *
 * What a table's row reads goes to an offset in a struct. Nothing is returned: what was read counts
 * only if, at the end, there was no error. Part of rules_load.
 */
#ifndef MITM_PROXY_RULES_READER_H
#define MITM_PROXY_RULES_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mitm_proxy/rules.h"

#define RULES_MEMBERS_MAX 256 /* of one object */

struct rules_reader {
    struct rules *rules; /* owns what is read */
    const char *file;    /* for the errors */
    struct buf pointer;  /* of the value that is being read */
    struct buf *errors;  /* lines; those past its maximum are counted only */
    size_t n_errors;
    bool no_memory;
};

struct rules_member {
    const char *key;
    void (*read)(
        struct rules_reader *reader, int value, const struct rules_member *member, void *target);
    size_t offset;
    bool required;
    uint64_t min, max;
    const char *const *choices; /* NULL-terminated */
};

/* Adds "FILE: POINTER: reason" to the errors, at the value that is being read. */
void rules_error(struct rules_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Memory of the rules; NULL, and noted in the reader, when there is none. */
void *rules_reader_keep(struct rules_reader *reader, size_t count, size_t size);

/* Goes down to a child of the value and back; LENGTH is what rules_enter returned. */
size_t rules_enter_key(struct rules_reader *reader, struct slice key);
size_t rules_enter_index(struct rules_reader *reader, size_t index);
void rules_leave(struct rules_reader *reader, size_t length);

/* The type of VALUE; an error if it is another than WANTED, which is called WHAT. */
bool rules_expect(struct rules_reader *reader, int value, enum json_type wanted, const char *what);

/* A string or key decoded, with a NUL behind it. False (noted) when there is no memory. */
bool rules_decode(struct rules_reader *reader, struct slice raw, struct slice *out);

/* Reads an object whose members are in the table and no others. */
void rules_read_object(struct rules_reader *reader, int value, const struct rules_member *table,
    size_t count, void *target);

/* True when VALUE is an object with such a member, whatever it is. */
bool rules_has(const struct rules_reader *reader, int value, const char *key);

/* The number of children that VALUE has. */
size_t rules_count_children(const struct rules_reader *reader, int value);

/*
 * For an object with keys of its own choice: the count of its members, after an error for each that
 * stands twice.
 */
size_t rules_count_members(struct rules_reader *reader, int value);

/* For rows of a table. The target of each is named. */
void rules_read_whole(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* uint64_t from min to max */
void rules_read_choice(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* int: index among choices */
void rules_read_text(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_text of min to max bytes (0: any number) */
void rules_read_line(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_text without CR, LF or NUL */

#endif
