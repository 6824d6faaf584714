#include "agent_b/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <uv.h>

#include "lib/json_text.h"

struct account {
    char name[LEDGER_NAME_MAX];
    size_t name_len;
    int64_t cents;
};

struct ledger {
    uint64_t deposits;
    size_t count;
    struct account accounts[LEDGER_ACCOUNTS_MAX];
};

struct ledger *ledger_new(void)
{
    return calloc(1, sizeof(struct ledger));
}

void ledger_free(struct ledger *ledger)
{
    free(ledger);
}

/* Adds the digits at *AT to *VALUE; false when the value grows too large. */
static bool read_digits(struct slice text, size_t *at, int64_t *value)
{
    for (; *at < text.len && text.data[*at] >= '0' && text.data[*at] <= '9'; (*at)++) {
        *value = *value * 10 + (text.data[*at] - '0');
        if (*value > LEDGER_CENTS_MAX)
            return false;
    }
    return true;
}

bool ledger_read_amount(struct slice text, int64_t *cents, const char **why)
{
    size_t at = 0;
    size_t decimals = 0;
    *cents = 0;
    *why = "the amount is greater than this ledger holds";
    if (!read_digits(text, &at, cents))
        return false;
    if (at > 0 && at < text.len && text.data[at] == '.') {
        size_t point = at++;
        struct slice hundredths = slice_of(text.data, text.len < at + 2 ? text.len : at + 2);
        if (!read_digits(hundredths, &at, cents))
            return false;
        decimals = at - point - 1;
    }
    *why = "the amount must be a number above zero with two decimals at most and no exponent";
    if (at < text.len || *cents == 0)
        return false;
    *why = "the amount is greater than this ledger holds";
    for (; decimals < 2; decimals++) {
        if (*cents > LEDGER_CENTS_MAX / 10)
            return false;
        *cents *= 10;
    }
    return true;
}

static struct account *find_account(struct ledger *ledger, struct slice name)
{
    for (size_t i = 0; i < ledger->count; i++) {
        struct account *account = &ledger->accounts[i];
        if (slice_equal(slice_of(account->name, account->name_len), name))
            return account;
    }
    return NULL;
}

int ledger_deposit(struct ledger *ledger, struct slice name, int64_t cents, int64_t *balance)
{
    if (name.len == 0 || name.len > LEDGER_NAME_MAX)
        return UV_EINVAL;
    struct account *account = find_account(ledger, name);
    if (account == NULL) {
        if (ledger->count == LEDGER_ACCOUNTS_MAX)
            return UV_ENOSPC;
        account = &ledger->accounts[ledger->count++];
        memcpy(account->name, name.data, name.len);
        account->name_len = name.len;
    }
    if (cents > LEDGER_CENTS_MAX - account->cents)
        return UV_ERANGE;
    account->cents += cents;
    ledger->deposits++;
    *balance = account->cents;
    return 0;
}

uint64_t ledger_deposits(const struct ledger *ledger)
{
    return ledger->deposits;
}

int ledger_print_balance(struct slice account, int64_t cents, struct buf *out)
{
    int status = json_string_encode(account, out);
    if (status == 0)
        status = buf_printf(out, ":%" PRId64 ".%02d", cents / 100, (int)(cents % 100));
    return status;
}

int ledger_print(const struct ledger *ledger, struct buf *out)
{
    int status = buf_append_char(out, '{');
    for (size_t i = 0; status == 0 && i < ledger->count; i++) {
        const struct account *account = &ledger->accounts[i];
        if (i > 0)
            status = buf_append_char(out, ',');
        if (status == 0)
            status = ledger_print_balance(
                slice_of(account->name, account->name_len), account->cents, out);
    }
    return status == 0 ? buf_append_char(out, '}') : status;
}
