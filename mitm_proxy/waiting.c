#include "mitm_proxy/waiting.h"

#include "lib/json_text.h"

void waiting_add(struct waiting *waiting, struct waiter *waiter, uint64_t ms)
{
    struct waiter **end = &waiting->first;
    while (*end)
        end = &(*end)->next;
    waiter->id = ++waiting->last_id;
    waiter->since = uv_now(waiter->valve->loop);
    waiter->next = NULL;
    waiter->link = end;
    *end = waiter;
    valve_shut(waiter->valve, &waiter->gate, ms);
}

void waiting_remove(struct waiter *waiter)
{
    if (!waiter->link)
        return;
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    waiter->link = NULL;
}

struct waiter *waiting_unpaired(const struct waiting *waiting, const struct rule *rule)
{
    struct waiter *waiter = waiting->first;
    while (waiter && !(waiter->reorder && waiter->rule == rule && !waiter->paired))
        waiter = waiter->next;
    return waiter;
}

static struct waiter *find(const struct waiting *waiting, uint64_t id)
{
    struct waiter *waiter = waiting->first;
    while (waiter && waiter->id != id)
        waiter = waiter->next;
    return waiter;
}

bool waiting_let_go(struct waiting *waiting, uint64_t id)
{
    struct waiter *waiter = find(waiting, id);
    if (!waiter)
        return false;
    waiting_remove(waiter);
    valve_open_gate(waiter->valve, &waiter->gate);
    return true;
}

void waiting_unpair(struct waiting *waiting, uint64_t id)
{
    struct waiter *waiter = find(waiting, id);
    if (waiter)
        waiter->paired = false;
}

bool waiting_release(struct waiting *waiting, uint64_t id)
{
    const struct waiter *waiter = find(waiting, id);
    return waiter && !waiter->reorder && waiting_let_go(waiting, id);
}

size_t waiting_release_all(struct waiting *waiting)
{
    size_t count = 0;
    for (struct waiter *waiter = waiting->first, *next; waiter; waiter = next) {
        next = waiter->next;
        if (!waiter->reorder && waiting_let_go(waiting, waiter->id))
            count++;
    }
    return count;
}

static int put_string(struct buf *out, const char *name, struct slice text)
{
    int err = buf_printf(out, ",\"%s\":", name);
    if (!err)
        err = text.data ? json_string_encode(text, out) : buf_append_str(out, "null");
    return err;
}

static int put_waiter(struct buf *out, const struct waiter *waiter)
{
    const struct exchange *exchange = waiter->exchange;
    const char *side = waiter->rule->side == RULE_RESPONSE ? "response" : "request";
    struct slice tool = exchange->tool_name;
    int err = buf_printf(out, "{\"id\":%llu,\"exchange\":%llu", (unsigned long long)waiter->id,
        (unsigned long long)exchange->id);
    if (!err)
        err = put_string(out, "rule", waiter->rule->name);
    if (!err)
        err = put_string(out, "side", slice_str(side));
    if (!err)
        err = put_string(out, "client", slice_str(exchange->connection->client));
    if (!err)
        err = put_string(out, "method", exchange->method);
    if (!err)
        err = put_string(out, "target", exchange->target);
    if (!err)
        err = buf_append_str(out, ",\"tool_name\":");
    if (!err)
        err = json_text_line(tool.data ? tool : slice_str("null"), SIZE_MAX, out);
    if (err)
        return err;
    return buf_printf(out, ",\"held_ms\":%llu}",
        (unsigned long long)(uv_now(waiter->valve->loop) - waiter->since));
}

int waiting_list(const struct waiting *waiting, struct buf *out)
{
    int err = buf_append_str(out, "{\"held\":[");
    bool any = false;
    for (const struct waiter *waiter = waiting->first; !err && waiter; waiter = waiter->next) {
        if (waiter->reorder)
            continue;
        if (any)
            err = buf_append_char(out, ',');
        if (!err)
            err = put_waiter(out, waiter);
        any = true;
    }
    return err ? err : buf_append_str(out, "]}\n");
}
