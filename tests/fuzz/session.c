/*
 * The whole proxy between clients and upstreams that do what the input says: it is a script of
 * records with '|' between them. The first one has a letter for each thing about the proxy that is
 * not as usual, each further one an order: its letter, and what comes with it.
 *
 *     t transparent  f forward  R rules  H rewrite Host  p peeks  n intercepts nothing
 *     b bodies to 64 bytes  B rules gather 64 bytes  o one connection  N upstream has a name
 *     m takes clients' TLS apart  U upstream speaks TLS
 *     s itself is where transparent connections went  l the last socket has its turn first
 *
 *     n a client calls   0-9 that client is the one who acts
 *     c u sends bytes   C U sends so many KiB   e E ends   r R breaks off   (client, upstream)
 *     s S takes nothing   w W takes so many bytes more, or all   a A its next write fails
 *     p the pieces that both send, in bytes   k that upstream is the one who acts, from the last
 *     h connections wait   o they come about   x they fail   g lookups fail   G they succeed
 *     t ms pass, or the time to the next timer   d the proxy drains   y other rules   q lets go
 *     v V begins TLS; what it sends and its end is within that, from then on (client, upstream)
 *     z nothing can be recorded, or can again
 *
 * '+' before an order: with the next one. '.' before it: only one turn of the loop comes behind it.
 */
#include <string.h>

#include "mitm_proxy/proxy.h"
#include "mitm_proxy/rules_load.h"
#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"
#include "tests/fuzz/session_tls.h"
#include "tests/fuzz/session_watch.h"

#define PASS_MAX 1000000 /* ms of one order */
#define WAITS_MAX 100000 /* timers that fire until all is over */
#define CALLS_MAX 8

struct world {
    struct proxy_shared shared;
    struct fake_net *net;
    struct fake_socket *clients[CALLS_MAX], *client, *upstream;
    size_t n_clients;
    struct proxy_config config;
    struct proxy proxy;
    bool drained;
};

static struct rules *load(const char *file)
{
    struct buf errors;
    size_t count = 0;
    buf_init(&errors, RULES_ERRORS_MAX);
    struct rules *rules = rules_load(file, &errors, &count);
    if (!rules)
        fprintf(stderr, "%.*s", (int)errors.len, errors.data);
    PROMISE(rules);
    buf_deinit(&errors);
    return rules;
}

/* A reference to one of two sets of rules, which are read once. */
static struct rules *rules_of(bool others)
{
    static struct rules *sets[2];
    struct rules **set = &sets[others];
    if (!*set)
        *set =
            load(others ? FUZZ_DATA "/session_rules_others.json" : FUZZ_DATA "/session_rules.json");
    rules_restart(*set);
    return rules_ref(*set);
}

static bool has(struct slice letters, char letter)
{
    return letters.len > 0 && memchr(letters.data, letter, letters.len);
}

static void configure(struct world *world, struct slice letters)
{
    const char *why;
    struct proxy_config *config = &world->config;
    *config = (struct proxy_config){
        .mode = has(letters, 't')   ? MODE_TRANSPARENT
                : has(letters, 'f') ? MODE_FORWARD
                                    : MODE_REVERSE,
        .allow = {.items = {"*:80", "*:443", "10.1.*:*"}, .count = 3},
        .rewrite_host = has(letters, 'H'),
        .connections_max = has(letters, 'o') ? 1 : 100,
        .body_max = has(letters, 'b') ? 64 : 0,
        .connect_timeout = 10000,
        .head_timeout = 30000,
        .idle_timeout = 60000,
        .response_timeout = 120000,
        .drain_timeout = 10000,
        .peeks = has(letters, 't') || has(letters, 'p') || has(letters, 'm'),
        .intercept = has(letters, 'n') ? "none" : "all",
        .rule_body_max = has(letters, 'B') ? 64 : 8 << 20,
    };
    PROMISE(hostport_parse(&config->listen, "127.0.0.1:8080", &why) == 0);
    PROMISE(http_url_parse(&config->upstream,
                has(letters, 'N')   ? "http://agent-b:8000"
                : has(letters, 'U') ? "https://10.1.0.1:8000"
                                    : "http://10.1.0.1:8000",
                &why) == 0);
}

static void begin(struct world *world, struct slice letters)
{
    configure(world, letters);
    const struct proxy_config *config = &world->config;
    bool rules = has(letters, 'R');
    struct watch_world watched = {
        .http = !config->peeks && !rules,
        .exact = config->mode != MODE_FORWARD && !config->rewrite_host && !rules,
    };
    uv_loop_t *loop = fake_loop_begin();
    world->net = fake_net_begin();
    world->net->last_first = has(letters, 'l');
    struct observer watcher = watch_begin(&world->proxy, &watched);
    observers_add(&world->proxy.observers, &watcher);
    if (rules)
        world->proxy.rules = rules_of(false);
    session_tls_begin(&world->proxy, has(letters, 'm'));
    world->proxy.shared = &world->shared;
    PROMISE(proxy_start(&world->proxy, loop, config) == 0);
    if (config->mode == MODE_TRANSPARENT && !has(letters, 's'))
        (void)uv_ip4_addr("10.2.0.2", 8000, &world->net->local); /* as it is with TPROXY */
}

static void call(struct world *world)
{
    struct fake_socket *client = world->n_clients < CALLS_MAX ? fake_net_call() : NULL;
    if (!client)
        return;
    world->clients[world->n_clients++] = world->client = client;
}

/* The upstream connection that was made NTH from the last. */
static struct fake_socket *upstream_from_last(uint64_t nth)
{
    struct fake_socket *found[FAKE_SOCKETS_MAX], *each;
    size_t count = 0;
    for (size_t i = 0; (each = fake_net_socket(i)) != NULL; i++)
        if (!each->accepted)
            found[count++] = each;
    return nth < count ? found[count - 1 - nth] : NULL;
}

static void end_connects(int status)
{
    struct fake_socket *each;
    for (size_t i = 0; (each = fake_net_socket(i)) != NULL; i++)
        fake_socket_connect(each, status);
}

static int connect_error(struct slice rest)
{
    static const int errors[] = {UV_ECONNREFUSED, UV_ETIMEDOUT, UV_ENETUNREACH, UV_EHOSTUNREACH};
    return errors[script_number(rest, 3, 0)];
}

static void on_drained(void *arg)
{
    struct world *world = arg;
    PROMISE(!world->drained);
    world->drained = true;
}

static void pass(struct slice rest)
{
    uint64_t next = 0;
    if (!fake_loop_next(&next))
        next = 1;
    fake_loop_pass(script_number(rest, PASS_MAX, next));
}

static void set_pieces(struct world *world, size_t piece)
{
    world->net->piece = piece;
    if (world->client)
        world->client->piece = piece;
    if (world->upstream)
        world->upstream->piece = piece;
}

/* Orders about the world. False: it is none of these. */
static bool order_world(struct world *world, char letter, struct slice rest)
{
    switch (letter) {
    case 'n':
        call(world);
        return true;
    case 'p':
        set_pieces(world, script_number(rest, 65536, 0));
        return true;
    case 'k':
        world->upstream = upstream_from_last(script_number(rest, FAKE_SOCKETS_MAX, 0));
        return true;
    case 'h':
        world->net->connects_wait = true;
        return true;
    case 'o':
        world->net->connects_wait = false;
        world->net->connect_status = 0;
        end_connects(0);
        return true;
    case 'x':
        world->net->connects_wait = false;
        world->net->connect_status = connect_error(rest);
        end_connects(world->net->connect_status);
        return true;
    case 'g':
    case 'G':
        fake_loop_lookups(letter == 'g' ? UV_EAI_NONAME : 0);
        return true;
    }
    return false;
}

static void order_proxy(struct world *world, char letter, struct slice rest)
{
    struct proxy *proxy = &world->proxy;
    switch (letter) {
    case 't':
        pass(rest);
        break;
    case 'd':
        proxy_drain(proxy, on_drained, world);
        break;
    case 'y':
        if (proxy->rules) {
            rules_free(proxy->rules);
            proxy->rules = rules_of(script_number(rest, 1, 1) == 1);
        }
        break;
    case 'q':
        (void)waiting_release_all(&proxy->waiting);
        break;
    case 'z':
        atomic_store(&proxy->shared->failing_records, proxy->shared->failing_records == 0);
        break;
    }
}

/* What one of the two peers does; LETTER as for a client. */
static void act(struct fake_socket *socket, char letter, struct slice rest)
{
    if (letter == 'v')
        session_tls_peer(socket);
    else if (letter == 'e' && session_tls_say_end(socket))
        socket->in_fin = true;
    else if (letter != 'c' || !session_tls_send(socket, rest))
        script_act(socket, letter, rest);
}

static void order(struct world *world, char letter, struct slice rest)
{
    static const char peers[] = "cCersawv";
    struct fake_socket *upstream = world->upstream ? world->upstream : upstream_from_last(0);
    if (letter >= '0' && letter <= '9' && (size_t)(letter - '0') < world->n_clients)
        world->client = world->clients[letter - '0'];
    else if (letter == 'u' || letter == 'U')
        act(upstream, letter == 'u' ? 'c' : 'C', rest);
    else if (strchr("ERSAWV", letter))
        act(upstream, (char)(letter - 'A' + 'a'), rest);
    else if (strchr(peers, letter))
        act(world->client, letter, rest);
    else if (!order_world(world, letter, rest))
        order_proxy(world, letter, rest);
}

static void run(void)
{
    do
        fake_loop_run();
    while (session_tls_turn());
}

static void obey(struct world *world, struct slice record)
{
    bool at_once = record.len > 0 && record.data[0] == '+';
    bool one_turn = record.len > 0 && record.data[0] == '.';
    if (at_once || one_turn)
        record = slice_of(record.data + 1, record.len - 1);
    if (record.len > 0 && record.data[0] != '\0')
        order(world, record.data[0], slice_of(record.data + 1, record.len - 1));
    if (one_turn)
        (void)fake_loop_turn();
    else if (!at_once)
        run();
}

/* All peers end, and take what is for them. False: they had done so. */
static bool end_peers(void)
{
    struct fake_socket *each;
    bool done = false;
    for (size_t i = 0; (each = fake_net_socket(i)) != NULL; i++) {
        done = done || !each->in_fin;
        each->room = SIZE_MAX;
        each->in_fin = true;
    }
    return done;
}

/* When its peers have ended, a session that stays and waits for no time stays forever. */
static void wait_for_sessions(const struct world *world)
{
    for (size_t waits = 0; world->proxy.open_connections > 0; waits++) {
        uint64_t next = 0;
        bool more = end_peers();
        PROMISE(waits < WAITS_MAX && (fake_loop_next(&next) || more));
        if (more)
            fake_loop_run();
        else
            fake_loop_pass(next);
    }
    PROMISE(!world->proxy.sessions);
}

static void end(struct world *world)
{
    world->net->connects_wait = false;
    end_connects(0);
    run();
    wait_for_sessions(world);
    proxy_drain(&world->proxy, on_drained, world);
    fake_loop_run();
    PROMISE(world->drained && fake_loop_is_over());
    PROMISE(world->proxy.gathered == 0 && !world->proxy.waiting.first);
    PROMISE(!world->proxy.replays && world->proxy.replays_keep == 0);
    session_tls_end();
    watch_end();
    fake_net_end();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct world world;
    struct slice script = slice_of((const char *)data, len);
    memset(&world, 0, sizeof world);
    begin(&world, script_next(&script));
    while (script.len > 0)
        obey(&world, script_next(&script));
    end(&world);
    return 0;
}
