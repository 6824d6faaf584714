/*
 * agent_b, whole, and clients that do what the input says: a script as that of session.c, of whose
 * orders there are n 0-9 c C e r s w a p t, d (agent_b stops) and '+'. The first record has the
 * defence: d digest, g signatures and nonces, j strict JSON, a all.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent_b/server.h"
#include "lib/http_parser.h"
#include "tests/fuzz/fake_loop.h"
#include "tests/fuzz/fake_net.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/script.h"

#define CALLS_MAX 8
#define PASS_MAX 1000000 /* ms of one order */
#define WAITS_MAX 1000   /* timers that fire until all is over */
#define BODY_MAX 65536

struct world {
    struct agent_server *server; /* NULL: it has stopped */
    struct tools *tools;
    struct guard *guard;
    struct line_out out;
    struct fake_socket *clients[CALLS_MAX], *client;
    size_t n_clients;
};

static struct guard *guard_of(struct slice letters)
{
    static const char names[] = "dgja";
    static const int profiles[] = {
        DEFENCE_DIGEST, DEFENCE_SIGNED_NONCE, DEFENCE_STRICT_JSON, DEFENCE_ALL};
    struct defence_options options = {.window = DEFENCE_WINDOW_DEFAULT};
    const char *name = letters.len > 0 ? memchr(names, letters.data[0], sizeof names - 1) : NULL;
    if (!name)
        return NULL;
    options.profile = profiles[name - names];
    struct guard *guard = guard_new(&options);
    PROMISE(guard);
    return guard;
}

static void on_stopped(void *arg)
{
    struct world *world = arg;
    PROMISE(world->server);
    world->server = NULL;
}

static void begin(struct world *world, struct slice letters)
{
    static int sink = -1;
    int err = 0;
    const char *why;
    if (sink < 0) {
        sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
        PROMISE(sink >= 0 && setenv("AGENT_SECRET", "a secret that no input knows", 1) == 0);
    }
    uv_loop_t *loop = fake_loop_begin();
    (void)fake_net_begin();
    world->out = (struct line_out){.fd = sink, .name = "the sink"};
    world->tools = tools_new(FUZZ_DATA, &err);
    world->guard = guard_of(letters);
    struct agent_server_config config = {
        .body_max = BODY_MAX,
        .tools = world->tools,
        .guard = world->guard,
        .out = &world->out,
        .on_stopped = on_stopped,
        .arg = world,
    };
    PROMISE(world->tools && hostport_parse(&config.listen, "127.0.0.1:8080", &why) == 0);
    world->server = agent_server_start(loop, &config, &err);
    PROMISE(world->server);
}

static void call(struct world *world)
{
    struct fake_socket *client = world->n_clients < CALLS_MAX ? fake_net_call() : NULL;
    if (client)
        world->clients[world->n_clients++] = world->client = client;
}

static void order(struct world *world, char letter, struct slice rest)
{
    uint64_t next = 1;
    if (letter >= '0' && letter <= '9' && (size_t)(letter - '0') < world->n_clients) {
        world->client = world->clients[letter - '0'];
    } else if (letter == 'n') {
        call(world);
    } else if (letter == 'p' && world->client) {
        world->client->piece = script_number(rest, BODY_MAX, 0);
    } else if (letter == 't') {
        (void)fake_loop_next(&next);
        fake_loop_pass(script_number(rest, PASS_MAX, next));
    } else if (letter == 'd' && world->server) {
        agent_server_stop(world->server);
    } else {
        script_act(world->client, letter, rest);
    }
}

static void obey(struct world *world, struct slice record)
{
    bool at_once = record.len > 0 && record.data[0] == '+';
    if (at_once)
        record = slice_of(record.data + 1, record.len - 1);
    if (record.len > 0)
        order(world, record.data[0], slice_of(record.data + 1, record.len - 1));
    if (!at_once)
        fake_loop_run();
}

static struct http_parser *parser_of(enum http_kind kind)
{
    struct http_parser *parser = http_parser_new(kind, NULL, NULL);
    PROMISE(parser);
    return parser;
}

/* The next message's head of BYTES; false when there is none that is good. */
static bool next_head(struct http_parser *parser, struct slice *bytes, enum http_event *event)
{
    do {
        size_t used;
        *event = http_parser_feed(parser, bytes->data, bytes->len, &used);
        *bytes = slice_of(bytes->data + used, bytes->len - used);
    } while (*event == HTTP_EVENT_END);
    return *event == HTTP_EVENT_HEAD;
}

/* Every answer is one that a client can read, and there are no more than were asked for. */
static void check(const struct fake_socket *client)
{
    struct http_parser *asked = parser_of(HTTP_KIND_REQUEST), *told = parser_of(HTTP_KIND_RESPONSE);
    struct slice in = slice_of(client->in.data, client->in_read);
    struct slice out = slice_of(client->out.data, client->out.len);
    enum http_event event = HTTP_EVENT_MORE;
    bool asks = true;
    while (out.len > 0) {
        enum http_event told_event;
        bool final = true;
        asks = asks && next_head(asked, &in, &event);
        PROMISE(asks || event == HTTP_EVENT_ERROR || event == HTTP_EVENT_MORE);
        if (http_parser_is_to_head(asked))
            http_parser_expect_no_body(told);
        do {
            if (!next_head(told, &out, &told_event)) {
                PROMISE(told_event == HTTP_EVENT_MORE); /* cut, and all of it is used */
                break;
            }
            final = http_parser_head(told)->status >= 200;
            PROMISE(asks || !final || http_parser_head(told)->status >= 400);
        } while (!final);
        PROMISE(asks || out.len == 0 || next_head(told, &out, &told_event) == false);
    }
    http_parser_free(asked);
    http_parser_free(told);
}

/* The peers go, time passes, the server stops: all handles close. */
static void end(struct world *world)
{
    struct fake_socket *each;
    uint64_t next;
    for (size_t i = 0; (each = fake_net_socket(i)) != NULL; i++) {
        each->room = SIZE_MAX;
        each->in_fin = true;
    }
    fake_loop_run();
    for (size_t waits = 0; fake_loop_next(&next); waits++) {
        PROMISE(waits < WAITS_MAX);
        fake_loop_pass(next);
    }
    if (world->server)
        agent_server_stop(world->server);
    fake_loop_run();
    PROMISE(!world->server && fake_loop_is_over());
    for (size_t i = 0; i < world->n_clients; i++)
        check(world->clients[i]);
    fake_net_end();
    guard_free(world->guard);
    tools_free(world->tools);
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
