#include "tests/fuzz/fake_loop.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fuzz.h"

#define START_MS 1000    /* 0 would be "never" to who keeps times */
#define TURNS_MAX 100000 /* of one run: more is a loop that spins */

/* A handle's place in the lists: libuv gives its owner nothing to find it by. */
struct fake_handle {
    uv_handle_t *handle;
    uv_close_cb on_close;
    bool closing;
    uint64_t due, order; /* of a timer that runs; 0: it does not */
    uv_timer_cb on_timer;
    uv_prepare_cb on_prepare;
    uv_check_cb on_check;
    struct fake_handle *next;
};

struct fake_lookup {
    uv_getaddrinfo_t *request;
    int status;
    struct fake_lookup *next;
};

static struct {
    uv_loop_t loop;
    uint64_t now, orders;
    struct fake_handle *handles;
    struct fake_lookup *lookups;
    int lookup_status;
} fake;

uv_loop_t *fake_loop_begin(void)
{
    PROMISE(fake_loop_is_over());
    fake.now = START_MS;
    fake.lookup_status = 0;
    return &fake.loop;
}

bool fake_loop_is_over(void)
{
    return !fake.handles && !fake.lookups;
}

void fake_loop_lookups(int status)
{
    fake.lookup_status = status;
}

static struct fake_handle *find(const uv_handle_t *handle)
{
    struct fake_handle *each = fake.handles;
    while (each && each->handle != handle)
        each = each->next;
    return each;
}

static struct fake_handle *find_open(const void *handle)
{
    struct fake_handle *found = find(handle);
    PROMISE(found && !found->closing);
    return found;
}

void fake_handle_init(uv_loop_t *loop, uv_handle_t *handle, uv_handle_type type)
{
    struct fake_handle *made = calloc(1, sizeof *made);
    PROMISE(made && loop == &fake.loop && !find(handle));
    made->handle = handle;
    made->next = fake.handles;
    fake.handles = made;
    handle->loop = loop;
    handle->type = type;
}

bool fake_handle_is_open(const uv_handle_t *handle)
{
    const struct fake_handle *found = find(handle);
    return found && !found->closing;
}

void uv_close(uv_handle_t *handle, uv_close_cb on_close)
{
    struct fake_handle *found = find_open(handle);
    found->closing = true;
    found->on_close = on_close;
    found->due = 0;
}

int uv_is_closing(const uv_handle_t *handle)
{
    const struct fake_handle *found = find(handle);
    return !found || found->closing;
}

int uv_is_active(const uv_handle_t *handle)
{
    const struct fake_handle *found = find(handle);
    return found && !found->closing && (handle->type != UV_TIMER || found->due);
}

uint64_t uv_now(const uv_loop_t *loop)
{
    PROMISE(loop == &fake.loop);
    return fake.now;
}

void uv_update_time(uv_loop_t *loop)
{
    PROMISE(loop == &fake.loop);
}

/* --- timers --- */

int uv_timer_init(uv_loop_t *loop, uv_timer_t *timer)
{
    fake_handle_init(loop, (uv_handle_t *)timer, UV_TIMER);
    return 0;
}

int uv_timer_start(uv_timer_t *timer, uv_timer_cb on_timer, uint64_t ms, uint64_t repeat)
{
    struct fake_handle *found = find((uv_handle_t *)timer);
    PROMISE(found && on_timer && repeat == 0);
    if (found->closing)
        return UV_EINVAL;
    found->due = ms > UINT64_MAX - fake.now ? UINT64_MAX : fake.now + ms;
    found->order = ++fake.orders;
    found->on_timer = on_timer;
    return 0;
}

int uv_timer_stop(uv_timer_t *timer)
{
    struct fake_handle *found = find((uv_handle_t *)timer);
    PROMISE(found);
    found->due = 0;
    return 0;
}

static struct fake_handle *first_due(void)
{
    struct fake_handle *first = NULL;
    for (struct fake_handle *each = fake.handles; each; each = each->next)
        if (each->due && (!first || each->due < first->due ||
                             (each->due == first->due && each->order < first->order)))
            first = each;
    return first;
}

bool fake_loop_next(uint64_t *ms)
{
    const struct fake_handle *first = first_due();
    if (first)
        *ms = first->due > fake.now ? first->due - fake.now : 0;
    return first != NULL;
}

void fake_loop_pass(uint64_t ms)
{
    uint64_t until = fake.now + ms;
    struct fake_handle *first;
    size_t turns = 0;
    while ((first = first_due()) != NULL && first->due <= until) {
        PROMISE(++turns < TURNS_MAX);
        if (first->due > fake.now)
            fake.now = first->due;
        first->due = 0;
        first->on_timer((uv_timer_t *)first->handle);
        fake_loop_run();
    }
    fake.now = until;
}

/* --- before the loop waits --- */

int uv_prepare_init(uv_loop_t *loop, uv_prepare_t *prepare)
{
    fake_handle_init(loop, (uv_handle_t *)prepare, UV_PREPARE);
    return 0;
}

int uv_prepare_start(uv_prepare_t *prepare, uv_prepare_cb on_prepare)
{
    find_open(prepare)->on_prepare = on_prepare;
    return 0;
}

/* --- when it has waited --- */

int uv_check_init(uv_loop_t *loop, uv_check_t *check)
{
    fake_handle_init(loop, (uv_handle_t *)check, UV_CHECK);
    return 0;
}

int uv_check_start(uv_check_t *check, uv_check_cb on_check)
{
    find_open(check)->on_check = on_check;
    return 0;
}

/* --- names --- */

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb on_found,
    const char *host, const char *service, const struct addrinfo *hints)
{
    struct fake_lookup *lookup = calloc(1, sizeof *lookup);
    struct fake_lookup **end = &fake.lookups;
    PROMISE(lookup && host && *host && !service && hints);
    request->loop = loop;
    request->cb = on_found;
    lookup->request = request;
    lookup->status = fake.lookup_status;
    while (*end)
        end = &(*end)->next;
    *end = lookup;
    return 0;
}

int uv_cancel(uv_req_t *request)
{
    struct fake_lookup *each = fake.lookups;
    while (each && (uv_req_t *)each->request != request)
        each = each->next;
    PROMISE(each);
    each->status = UV_ECANCELED;
    return 0;
}

struct fake_address {
    struct addrinfo info; /* first: it is freed by this */
    struct sockaddr_storage address;
};

static struct addrinfo *found_address(const struct sockaddr *address, size_t len)
{
    struct fake_address *found = calloc(1, sizeof *found);
    PROMISE(found);
    memcpy(&found->address, address, len);
    found->info.ai_family = address->sa_family;
    found->info.ai_addr = (struct sockaddr *)&found->address;
    found->info.ai_addrlen = (socklen_t)len;
    return &found->info;
}

static struct addrinfo *found_addresses(void)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    (void)uv_ip4_addr("10.1.0.1", 0, &v4);
    (void)uv_ip6_addr("fd00::1", 0, &v6);
    struct addrinfo *first = found_address((struct sockaddr *)&v4, sizeof v4);
    first->ai_next = found_address((struct sockaddr *)&v6, sizeof v6);
    return first;
}

void uv_freeaddrinfo(struct addrinfo *found)
{
    while (found) {
        struct addrinfo *next = found->ai_next;
        free(found);
        found = next;
    }
}

static bool end_lookup(void)
{
    struct fake_lookup *first = fake.lookups;
    if (!first)
        return false;
    fake.lookups = first->next;
    first->request->cb(
        first->request, first->status, first->status == 0 ? found_addresses() : NULL);
    free(first);
    return true;
}

/* --- turns --- */

static bool close_one(void)
{
    struct fake_handle **link = &fake.handles;
    while (*link && !(*link)->closing)
        link = &(*link)->next;
    struct fake_handle *closing = *link;
    if (!closing)
        return false;
    if (closing->handle->type == UV_TCP)
        fake_net_closing((uv_tcp_t *)closing->handle);
    for (link = &fake.handles; *link != closing; link = &(*link)->next)
        ; /* others may have come before it since */
    *link = closing->next;
    if (closing->on_close)
        closing->on_close(closing->handle);
    free(closing);
    return true;
}

static void prepare(void)
{
    for (struct fake_handle *each = fake.handles; each; each = each->next)
        if (each->on_prepare && !each->closing)
            each->on_prepare((uv_prepare_t *)each->handle);
}

static void check(void)
{
    for (struct fake_handle *each = fake.handles; each; each = each->next)
        if (each->on_check && !each->closing)
            each->on_check((uv_check_t *)each->handle);
}

bool fake_loop_turn(void)
{
    bool done = end_lookup();
    prepare();
    done = fake_net_turn() || done;
    check();
    while (close_one())
        done = true;
    return done;
}

void fake_loop_run(void)
{
    size_t turns = 0;
    while (fake_loop_turn())
        PROMISE(++turns < TURNS_MAX);
}
