/*
 * What the files of rules_load share: rules_load.c (the file, rules, match and when),
 * rules_load_actions.c (do), rules_load_values.c (what both read).
 */
#ifndef MITM_PROXY_RULES_LOAD_PARTS_H
#define MITM_PROXY_RULES_LOAD_PARTS_H

#include "mitm_proxy/rules_load.h"
#include "mitm_proxy/rules_reader.h"

#define RULES_COUNTER_MAX 1000000000 /* nth, every, count, after_nth */

/* rules_load_actions.c: the rule's "do"; its side is -1 where "on" is wrong. */
void rules_read_actions(struct rules_reader *reader, int value, struct rule *rule);

/* rules_load_actions.c, when all rules are read: an error where nothing is saved as it says. */
void rules_check_saved(struct rules_reader *reader);

/* rules_load.c: for rows of a table; the target is a struct slice. */
void rules_read_name(
    struct rules_reader *reader, int value, const struct rules_member *member, void *target);

/* rules_load_values.c */

/* An error if the pointer is none (RFC 6901 §3). */
bool rules_check_pointer(struct rules_reader *reader, struct slice pointer);
/* An error if NAME is no token (RFC 9110 §5.6.2); WHAT is what it is called. */
bool rules_check_token(struct rules_reader *reader, struct slice name, const char *what);
/* An error if a field NAME is one that says where the message ends. */
void rules_check_framing(struct rules_reader *reader, struct slice name);

/* For rows of a table. */
void rules_read_method(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_text */
void rules_read_pointer(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_text */
void rules_read_json(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_text: the value as it stands there */
void rules_read_body(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_text: {"text": …} or {"json": …} */
void rules_read_field_name(struct rules_reader *reader, int value,
    const struct rules_member *member, void *target); /* struct slice, of no framing */
void rules_read_field_value(struct rules_reader *reader, int value,
    const struct rules_member *member, void *target); /* struct slice */
void rules_read_patch(struct rules_reader *reader, int value, const struct rules_member *member,
    void *target); /* struct rule_patch */

#endif
