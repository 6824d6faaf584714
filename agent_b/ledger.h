/*
 * Accounts and their balances, in memory, counted in hundredths without floating point.
 */
#ifndef AGENT_B_LEDGER_H
#define AGENT_B_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/slice.h"

#define LEDGER_ACCOUNTS_MAX 1000
#define LEDGER_NAME_MAX 64 /* bytes of an account's name */
#define LEDGER_CENTS_MAX                                                                           \
    INT64_C(100000000000000000) /* of one amount and of a balance: 10^15 units */

struct ledger;

struct ledger *ledger_new(void); /* NULL when there is no memory */
void ledger_free(struct ledger *ledger);

/*
 * Reads the text of a JSON number as an amount above zero: digits, and a point with one or two more
 * where wanted. No exponent, since 1e2 is a hundred to one program and an error to another. False
 * with *WHY, a clause for people.
 */
bool ledger_read_amount(struct slice text, int64_t *cents, const char **why);

/*
 * Adds to an account, which begins at zero. 0 with *BALANCE, or UV_ERANGE past the greatest
 * balance, UV_ENOSPC past the greatest number of accounts, UV_EINVAL for a name that is empty or
 * too long, UV_ENOMEM.
 */
int ledger_deposit(struct ledger *ledger, struct slice name, int64_t cents, int64_t *balance);

/* How many deposits there were. */
uint64_t ledger_deposits(const struct ledger *ledger);

/* Appends one member, "alice":150.00. 0 or an error of buf.h. */
int ledger_print_balance(struct slice account, int64_t cents, struct buf *out)
    __attribute__((warn_unused_result));

/* Appends all accounts as an object, in the order of their first deposit. 0 or an error of buf.h.
 */
int ledger_print(const struct ledger *ledger, struct buf *out) __attribute__((warn_unused_result));

#endif
