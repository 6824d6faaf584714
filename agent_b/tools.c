#include "agent_b/tools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "agent_b/data_dir.h"
#include "agent_b/ledger.h"

#define ARGUMENT_MAX 4096 /* bytes of a decoded string argument */
#define MEMBERS_MAX (4UL * 1024 * 1024)

enum tool {
    ANALYZE_DEPENDENCY,
    DEPOSIT,
    READ_FILE,
    FOLLOW_BUILD,
    TOOL_COUNT,
};

struct tools {
    struct ledger *ledger;
    int data_dir; /* descriptor, or -1 */
    uint64_t carried_out[TOOL_COUNT];
};

/* What a tool is given. */
struct call {
    struct tools *tools;
    const struct json_text *json;
    int arguments;
    struct tools_result *result;
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

void tools_result_init(struct tools_result *result)
{
    *result = (struct tools_result){
        .outcome = TOOLS_UNKNOWN,
        .error = {"unknown_tool",
            "the tools are analyze_dependency, deposit, read_file and follow_build"},
    };
    buf_init(&result->members, MEMBERS_MAX);
}

void tools_result_deinit(struct tools_result *result)
{
    buf_deinit(&result->members);
}

int tools_print_ledger(const struct tools *tools, struct buf *out)
{
    int status = buf_append_str(out, "{\"balances\":");
    if (status == 0)
        status = ledger_print(tools->ledger, out);
    if (status == 0)
        status = buf_printf(out, ",\"deposits\":%" PRIu64 "}", ledger_deposits(tools->ledger));
    return status;
}

static enum tools_outcome refuse(const struct call *call, const char *word, const char *reason)
{
    call->result->error = (struct tools_error){word, reason};
    return TOOLS_REFUSED;
}

void tools_fail(struct tools_result *result)
{
    result->outcome = TOOLS_FAILED;
    result->error = (struct tools_error){"no_memory", JSON_TEXT_NO_MEMORY};
}

static enum tools_outcome fail(const struct call *call)
{
    tools_fail(call->result);
    return TOOLS_FAILED;
}

static enum tools_outcome finish(const struct call *call, int status)
{
    return status == 0 ? TOOLS_DONE : fail(call);
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
    return status == UV_ENOMEM ? fail(call) : refuse(call, "bad_arguments", reason);
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
    status = buf_append_str(&call->result->members, ",\"balances\":{");
    if (status == 0)
        status = ledger_print_balance(account, balance, &call->result->members);
    if (status == 0)
        status = buf_append_char(&call->result->members, '}');
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
    int status = buf_printf(&call->result->members, ",\"bytes\":%zu,\"content\":", content->len);
    if (status == 0)
        status = json_string_encode(slice_of(content->data, content->len), &call->result->members);
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

/* A whole number between 1 and the most steps; 0: it is none. */
static uint64_t read_steps(struct slice text)
{
    uint64_t steps = 0;
    for (size_t i = 0; i < text.len && steps <= TOOLS_STEPS_MAX; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        steps = steps * 10 + (uint64_t)(text.data[i] - '0');
    }
    return steps <= TOOLS_STEPS_MAX ? steps : 0;
}

static enum tools_outcome follow_build(const struct call *call)
{
    int value = json_text_member(call->json, call->arguments, "steps");
    uint64_t steps = read_steps(json_text_raw(call->json, value));
    if (steps == 0)
        return refuse(
            call, "bad_arguments", "follow_build needs steps, a whole number from 1 to 1000");
    call->result->steps = steps;
    return finish(call, buf_printf(&call->result->members, ",\"steps\":%" PRIu64, steps));
}

static const struct {
    const char *name;
    enum tools_outcome (*run)(const struct call *call);
} table[TOOL_COUNT] = {
    [ANALYZE_DEPENDENCY] = {"analyze_dependency", analyze_dependency},
    [DEPOSIT] = {"deposit", deposit},
    [READ_FILE] = {"read_file", read_file},
    [FOLLOW_BUILD] = {"follow_build", follow_build},
};

int tools_print_carried_out(const struct tools *tools, struct buf *out)
{
    int status = buf_append_char(out, '{');
    for (size_t i = 0; status == 0 && i < TOOL_COUNT; i++)
        status = buf_printf(
            out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", table[i].name, tools->carried_out[i]);
    return status == 0 ? buf_append_char(out, '}') : status;
}

void tools_run(struct tools *tools, struct slice name, const struct json_text *json, int arguments,
    struct tools_result *result)
{
    const struct call call = {tools, json, arguments, result};
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        if (!slice_is(name, table[i].name))
            continue;
        result->outcome = table[i].run(&call);
        if (result->outcome == TOOLS_DONE)
            tools->carried_out[i]++;
        return;
    }
}
