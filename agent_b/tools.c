#include "agent_b/tools.h"

#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "agent_b/data_dir.h"
#include "agent_b/ledger.h"

#define ARGUMENT_MAX 4096 /* bytes of a decoded string argument */

struct tools {
    struct ledger *ledger;
    int data_dir; /* descriptor, or -1 */
};

/* What a tool is given. */
struct call {
    struct tools *tools;
    const struct json_text *json;
    int arguments;
    struct buf *members;
    struct tools_error *error;
};

struct tools *tools_new(const char *data_dir, int *err)
{
    int fd = data_dir != NULL ? data_dir_open(data_dir) : -1;
    *err = data_dir != NULL && fd < 0 ? fd : UV_ENOMEM;
    if (data_dir != NULL && fd < 0)
        return NULL;
    struct tools *tools = calloc(1, sizeof *tools);
    struct ledger *ledger = ledger_new();
    if (tools == NULL || ledger == NULL) {
        if (fd >= 0)
            close(fd);
        ledger_free(ledger);
        free(tools);
        return NULL;
    }
    *tools = (struct tools){.ledger = ledger, .data_dir = fd};
    *err = 0;
    return tools;
}

void tools_free(struct tools *tools)
{
    if (tools == NULL)
        return;
    if (tools->data_dir >= 0)
        close(tools->data_dir);
    ledger_free(tools->ledger);
    free(tools);
}

int tools_print_ledger(const struct tools *tools, struct buf *out)
{
    return ledger_print(tools->ledger, out);
}

static enum tools_outcome refuse(const struct call *call, const char *word, const char *reason)
{
    *call->error = (struct tools_error){word, reason};
    return TOOLS_REFUSED;
}

enum tools_outcome tools_fail(struct tools_error *error)
{
    *error = (struct tools_error){"no_memory", JSON_TEXT_NO_MEMORY};
    return TOOLS_FAILED;
}

static enum tools_outcome finish(const struct call *call, int status)
{
    return status == 0 ? TOOLS_DONE : tools_fail(call->error);
}

/* Decodes a string argument into OUT; UV_EINVAL when there is none, or an error of buf.h. */
static int read_string(const struct call *call, const char *name, struct buf *out)
{
    int value = json_text_member(call->json, call->arguments, name);
    return json_string_decode(json_text_raw(call->json, value), out);
}

/* Why read_string failed: the caller's REASON, or memory, which is not the caller's fault. */
static enum tools_outcome refuse_string(const struct call *call, int status, const char *reason)
{
    return status == UV_ENOMEM ? tools_fail(call->error) : refuse(call, "bad_arguments", reason);
}

static enum tools_outcome analyze_dependency(const struct call *call)
{
    return finish(call, 0); /* the echo is the answer */
}

static enum tools_outcome deposit_into(const struct call *call, struct slice account, int64_t cents)
{
    int64_t balance;
    int status = ledger_deposit(call->tools->ledger, account, cents, &balance);
    if (status == UV_EINVAL)
        return refuse(call, "bad_arguments", "the account must be a name of 1 to 64 bytes");
    if (status == UV_ENOSPC)
        return refuse(call, "ledger_full", "the ledger holds no more accounts");
    if (status == UV_ERANGE)
        return refuse(call, "bad_arguments", "the balance would be greater than the ledger holds");
    status = buf_append_str(call->members, ",\"balances\":{");
    if (status == 0)
        status = ledger_print_balance(account, balance, call->members);
    if (status == 0)
        status = buf_append_char(call->members, '}');
    return finish(call, status);
}

static enum tools_outcome deposit(const struct call *call)
{
    int64_t cents;
    const char *why;
    int amount = json_text_member(call->json, call->arguments, "amount");
    if (json_text_type(call->json, amount) != JSON_NUMBER)
        return refuse(call, "bad_arguments", "deposit needs an amount that is a number");
    if (!ledger_read_amount(json_text_raw(call->json, amount), &cents, &why))
        return refuse(call, "bad_arguments", why);
    struct buf account;
    buf_init(&account, ARGUMENT_MAX);
    enum tools_outcome outcome;
    int status = read_string(call, "account", &account);
    if (status == 0)
        outcome = deposit_into(call, slice_of(account.data, account.len), cents);
    else
        outcome = refuse_string(call, status, "deposit needs an account that is a string");
    buf_deinit(&account);
    return outcome;
}

static enum tools_outcome refuse_file(const struct call *call, int status)
{
    switch (status) {
    case UV_EXDEV:
        return refuse(call, "outside_data", "the path leads out of the data directory");
    case UV_ENOENT:
    case UV_ENOTDIR:
        return refuse(call, "no_such_file", "there is no such file in the data directory");
    case UV_EFBIG:
        return refuse(call, "file_too_large", "the file is larger than 256 KiB");
    case UV_ENOMEM:
        return finish(call, status);
    case UV_EINVAL:
        return refuse(call, "not_a_file", "the path does not name a regular file");
    default:
        return refuse(call, "unreadable", uv_strerror(status));
    }
}

static int print_content(const struct call *call, const struct buf *content)
{
    int status = buf_printf(call->members, ",\"bytes\":%zu,\"content\":", content->len);
    if (status == 0)
        status = json_string_encode(slice_of(content->data, content->len), call->members);
    return status;
}

static enum tools_outcome read_file_at(const struct call *call, struct slice path)
{
    struct buf content;
    buf_init(&content, DATA_DIR_FILE_MAX);
    int status = data_dir_read(call->tools->data_dir, path, &content);
    enum tools_outcome outcome =
        status != 0 ? refuse_file(call, status) : finish(call, print_content(call, &content));
    buf_deinit(&content);
    return outcome;
}

static enum tools_outcome read_file(const struct call *call)
{
    if (call->tools->data_dir < 0)
        return refuse(call, "no_data", "this agent was started without a data directory");
    struct buf path;
    buf_init(&path, ARGUMENT_MAX);
    enum tools_outcome outcome;
    int status = read_string(call, "path", &path);
    if (status == 0)
        outcome = read_file_at(call, slice_of(path.data, path.len));
    else
        outcome = refuse_string(call, status, "read_file needs a path that is a string");
    buf_deinit(&path);
    return outcome;
}

enum tools_outcome tools_run(struct tools *tools, struct slice name, const struct json_text *json,
    int arguments, struct buf *members, struct tools_error *error)
{
    static const struct {
        const char *name;
        enum tools_outcome (*run)(const struct call *call);
    } table[] = {
        {"analyze_dependency", analyze_dependency},
        {"deposit", deposit},
        {"read_file", read_file},
    };
    const struct call call = {tools, json, arguments, members, error};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (slice_is(name, table[i].name))
            return table[i].run(&call);
    }
    *error = (struct tools_error){
        "unknown_tool", "the tools are analyze_dependency, deposit and read_file"};
    return TOOLS_UNKNOWN;
}
