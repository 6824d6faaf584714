#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "agent_a/client.h"
#include "lib/buf.h"
#include "lib/listener.h"
#include "lib/stream.h"

#define PEERS_MAX 8
#define PATIENCE 60000 /* ms, which no exchange takes */
#define REQUEST "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

enum afterwards {
    KEEP,
    FIN,
    RST,
};

/* What the server does about the next request, on whatever connection it comes. */
struct step {
    const char *reply;
    const char *unasked; /* sent once the client has its answer, or NULL */
    enum afterwards afterwards;
    bool byte_by_byte;
    bool idle;        /* the client reads what is unasked before it has its next request */
    uint64_t timeout; /* ms, of the first one; 0: as long as it takes */
};

struct peer {
    struct stream stream;
    struct world *world;
};

struct world {
    uv_loop_t loop;
    struct listener listener;
    struct hostport origin;
    struct peer peers[PEERS_MAX];
    size_t n_peers;
    const struct step *steps;
    size_t n_steps, step;
    struct client *client;
    size_t wanted; /* exchanges to make */
    /* What came of the exchanges, the last one in detail. */
    size_t answers, failures, unasked;
    uv_check_t turns;
    int turns_left; /* before the next request */
    int status;
    char body[64];
    /* What was told of the answer before it was whole. */
    int told_status;
    size_t told_heads;
    char told_body[64];
    char failure[512];
    const char *word;
};

/* The kernel has it for the client when this returns. */
static void write_text(struct stream *stream, const char *text, size_t len)
{
    char *copy = strndup(text, len);
    uv_buf_t run = uv_buf_init(copy, (unsigned int)len);
    assert_int_equal(stream_write(stream, &run, 1), 0);
    free(copy);
}

static void on_peer_data(struct stream *stream, const char *data, size_t len)
{
    struct peer *peer = stream->data;
    struct world *world = peer->world;
    (void)data;
    assert_int_equal(len, strlen(REQUEST));
    assert_true(world->step < world->n_steps);
    const struct step *step = &world->steps[world->step++];
    size_t total = strlen(step->reply);
    size_t piece = step->byte_by_byte ? 1 : total;
    for (size_t at = 0; at < total; at += piece)
        write_text(stream, step->reply + at, piece);
    if (step->afterwards == FIN)
        assert_int_equal(stream_shutdown(stream), 0);
    else if (step->afterwards == RST)
        stream_reset(stream);
}

static void on_peer_eof(struct stream *stream)
{
    stream_close(stream);
}

static void on_peer_error(struct stream *stream, int status)
{
    (void)status;
    stream_close(stream);
}

static const struct stream_events peer_events = {
    .on_data = on_peer_data,
    .on_eof = on_peer_eof,
    .on_error = on_peer_error,
};

static void on_connection(struct listener *listener, int status)
{
    struct world *world = listener->data;
    assert_int_equal(status, 0);
    assert_true(world->n_peers < PEERS_MAX);
    struct peer *peer = &world->peers[world->n_peers++];
    peer->world = world;
    assert_int_equal(stream_init(&peer->stream, &world->loop, &peer_events, peer), 0);
    assert_int_equal(stream_accept(&peer->stream, (uv_stream_t *)&listener->tcp), 0);
    assert_int_equal(stream_read_start(&peer->stream), 0);
}

static void end(struct world *world)
{
    client_close(world->client);
    listener_close(&world->listener);
    if (world->turns.data != NULL)
        uv_close((uv_handle_t *)&world->turns, NULL);
    for (size_t i = 0; i < world->n_peers; i++)
        stream_close(&world->peers[i].stream);
}

static void on_unasked(void *arg)
{
    struct world *world = arg;
    world->unasked++;
}

static void on_turn(uv_check_t *turns)
{
    struct world *world = turns->data;
    if (--world->turns_left > 0)
        return;
    uv_check_stop(turns);
    client_send(world->client, slice_str(REQUEST));
}

/* The next request: in this turn of the loop, or in the next, which reads what is unasked. */
static void go_on(struct world *world)
{
    const struct step *step = &world->steps[world->step - 1];
    if (step->unasked != NULL)
        write_text(&world->peers[world->n_peers - 1].stream, step->unasked, strlen(step->unasked));
    world->turns_left = 2;
    if (step->idle)
        uv_check_start(&world->turns, on_turn);
    else
        client_send(world->client, slice_str(REQUEST));
}

static void on_head(void *arg, const struct http_head *head)
{
    struct world *world = arg;
    world->told_heads++;
    world->told_status = head->status;
    world->told_body[0] = '\0';
}

static void on_body(void *arg, struct slice bytes)
{
    struct world *world = arg;
    size_t len = strlen(world->told_body);
    assert_true(world->told_heads == 1 && len + bytes.len < sizeof world->told_body);
    snprintf(
        world->told_body + len, sizeof world->told_body - len, "%.*s", (int)bytes.len, bytes.data);
}

static void on_answer(void *arg, const struct client_answer *answer)
{
    struct world *world = arg;
    if (answer->failure != NULL) {
        world->failures++;
        snprintf(world->failure, sizeof world->failure, "%s", answer->failure);
        world->word = answer->word;
    } else {
        world->answers++;
        world->status = answer->status;
        snprintf(world->body, sizeof world->body, "%.*s", (int)answer->body.len,
            answer->body.data != NULL ? answer->body.data : "");
        assert_int_equal(world->told_heads, 1);
        assert_int_equal(world->told_status, answer->status);
        assert_string_equal(world->told_body, world->body);
    }
    world->told_heads = 0;
    if (world->answers + world->failures >= world->wanted)
        end(world);
    else if (world->step > 0)
        go_on(world);
    else
        client_send(world->client, slice_str(REQUEST));
}

/* Makes an exchange for each step, all on one client, and leaves the loop clean. */
static void play(struct world *world, const struct step *steps, size_t n_steps)
{
    struct sockaddr_storage address;
    const char *why;
    memset(world, 0, sizeof *world);
    world->steps = steps;
    world->n_steps = world->wanted = n_steps;
    assert_int_equal(hostport_parse(&world->origin, "127.0.0.1:0", &why), 0);
    assert_int_equal(uv_loop_init(&world->loop), 0);
    assert_int_equal(
        listener_open(&world->listener, &world->loop, &world->origin, on_connection, world), 0);
    assert_int_equal(listener_address(&world->listener, &address), 0);
    world->origin.port = ntohs(((struct sockaddr_in *)&address)->sin_port);
    assert_int_equal(uv_check_init(&world->loop, &world->turns), 0);
    world->turns.data = world;
    const struct client_config config = {.origin = &world->origin,
        .timeout = steps->timeout != 0 ? steps->timeout : PATIENCE,
        .on_answer = on_answer,
        .on_head = on_head,
        .on_body = on_body,
        .on_unasked = on_unasked,
        .arg = world};
    world->client = client_new(&world->loop, &config);
    client_send(world->client, slice_str(REQUEST));
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
}

/* One exchange that must bring this answer, whole and byte by byte. */
static void assert_answer(
    const char *reply, enum afterwards afterwards, int status, const char *body)
{
    for (int split = 0; split < 2; split++) {
        struct world world;
        const struct step step = {
            .reply = reply, .afterwards = afterwards, .byte_by_byte = split != 0};
        play(&world, &step, 1);
        if (world.failures > 0)
            fail_msg("%s: %s", reply, world.failure);
        assert_int_equal(world.status, status);
        assert_string_equal(world.body, body);
    }
}

static void assert_failure(
    const char *reply, enum afterwards afterwards, const char *word, const char *part)
{
    struct world world;
    const struct step step = {.reply = reply,
        .afterwards = afterwards,
        .timeout = strcmp(word, "timeout") == 0 ? 1000 : 0};
    play(&world, &step, 1);
    assert_int_equal(world.failures, 1);
    if (strstr(world.failure, part) == NULL || strcmp(world.word, word) != 0)
        fail_msg("%s: %s, %s", reply, world.word, world.failure);
}

static void test_answers(void **state)
{
    (void)state;
    assert_answer(GOOD, KEEP, 200, "ok");
    assert_answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", KEEP, 404, "");
    assert_answer("HTTP/1.1 204 No Content\r\n\r\n", KEEP, 204, "");
    assert_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "1\r\no\r\n1;x=y\r\nk\r\n0\r\nT: 1\r\n\r\n",
        KEEP, 200, "ok");
    assert_answer("HTTP/1.1 200 OK\r\n\r\nuntil the end", FIN, 200, "until the end");
    assert_answer("HTTP/1.0 200 OK\r\n\r\n", FIN, 200, "");
}

static void test_interim_answers_are_passed_over(void **state)
{
    (void)state;
    assert_answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" GOOD,
        KEEP, 200, "ok");
}

static void test_failures(void **state)
{
    (void)state;
    assert_failure("", FIN, "connection_closed", "no answer: the server closed the connection");
    assert_failure("", RST, "connection_reset", "no answer: connection reset");
    assert_failure(
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", FIN, "connection_closed", "was cut");
    assert_failure("HTTP/1.1 200 O", FIN, "connection_closed", "was cut");
    assert_failure("HTTP/1.1 100 Continue\r\n\r\n", FIN, "connection_closed", "was cut");
    assert_failure("SSH-2.0-OpenSSH\r\n", KEEP, "bad_response", "not HTTP/1.1");
    assert_failure("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", KEEP,
        "bad_response", "not HTTP/1.1");
}

/* Of an answer that is cut, what came was told. */
static void test_told_as_it_comes(void **state)
{
    (void)state;
    struct world world;
    const struct step step = {
        .reply = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n1\r\na\r\n5\r\nbc",
        .afterwards = FIN,
        .byte_by_byte = true};
    play(&world, &step, 1);
    assert_int_equal(world.failures, 1);
    assert_int_equal(world.told_status, 201);
    assert_string_equal(world.told_body, "abc");
}

static void test_time_limit(void **state)
{
    (void)state;
    assert_failure("", KEEP, "timeout", "no answer within 1 s");
    assert_failure("HTTP/1.1 200 OK\r\n", KEEP, "timeout", "no whole answer within 1 s");
}

static void test_keeps_the_connection(void **state)
{
    (void)state;
    struct world world;
    const struct step steps[] = {{.reply = GOOD}, {.reply = GOOD}, {.reply = GOOD}};
    play(&world, steps, 3);
    assert_int_equal(world.answers, 3);
    assert_int_equal(world.n_peers, 1);
}

static void test_opens_another_after_a_close(void **state)
{
    (void)state;
    struct world world;
    const struct step steps[] = {
        {.reply = GOOD, .afterwards = FIN},
        {.reply = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
        {.reply = "HTTP/1.1 200 OK\r\n\r\nok", .afterwards = FIN},
        {.reply = GOOD GOOD}, /* the second answer belongs to nothing: not to be trusted */
        {.reply = GOOD},
    };
    play(&world, steps, 5);
    assert_int_equal(world.failures, 0);
    assert_int_equal(world.answers, 5);
    assert_int_equal(world.n_peers, 5);
    assert_int_equal(world.unasked, 1);
}

#define OTHER "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

static void test_what_nobody_asked_for_answers_nothing(void **state)
{
    (void)state;
    for (int idle = 0; idle < 2; idle++) {
        struct world world;
        const struct step steps[] = {
            {.reply = GOOD, .unasked = OTHER, .idle = idle != 0}, {.reply = GOOD}};
        play(&world, steps, 2);
        assert_int_equal(world.answers, 2);
        assert_int_equal(world.unasked, 1);
        assert_int_equal(world.n_peers, 2);
        assert_int_equal(world.status, 200);
    }
}

static void test_line_ends_mean_nothing(void **state)
{
    (void)state;
    struct world world;
    const struct step steps[] = {
        {.reply = GOOD "\r\n"},
        {.reply = GOOD, .unasked = "\r\n\r\n"},
        {.reply = GOOD, .unasked = "\r\n\r\n", .idle = true},
        {.reply = GOOD, .byte_by_byte = true},
    };
    play(&world, steps, 4);
    assert_int_equal(world.answers, 4);
    assert_int_equal(world.unasked, 0);
    assert_int_equal(world.n_peers, 1);
}

static void test_many_line_ends_may_hide_something(void **state)
{
    (void)state;
    struct world world;
    char many[5001] = "";
    memset(many, '\n', sizeof many - 1);
    const struct step steps[] = {{.reply = GOOD, .unasked = many}, {.reply = GOOD}};
    play(&world, steps, 2);
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.n_peers, 2);
}

static void test_a_sent_call_is_not_sent_again(void **state)
{
    (void)state;
    struct world world;
    const struct step steps[] = {
        {.reply = GOOD}, {.reply = "", .afterwards = FIN}, {.reply = GOOD}};
    play(&world, steps, 3);
    assert_int_equal(world.step, 3);
    assert_int_equal(world.failures, 1);
    assert_non_null(strstr(world.failure, "it may have been carried out"));
    assert_int_equal(world.answers, 2);
    assert_int_equal(world.n_peers, 2);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct world world;
    const char *why;
    memset(&world, 0, sizeof world);
    world.wanted = 3;
    assert_int_equal(uv_loop_init(&world.loop), 0);
    assert_int_equal(hostport_parse(&world.origin, "127.0.0.1:1", &why), 0);
    const struct client_config config = {
        .origin = &world.origin, .timeout = PATIENCE, .on_answer = on_answer, .arg = &world};
    world.client = client_new(&world.loop, &config);
    client_send(world.client, slice_str(REQUEST));
    assert_int_equal(world.failures, 0);
    uv_run(&world.loop, UV_RUN_DEFAULT);
    assert_int_equal(world.failures, 3);
    assert_string_equal(world.failure, "cannot connect to 127.0.0.1 port 1: connection refused");
    assert_int_equal(uv_loop_close(&world.loop), 0);
}

static void test_closed_while_busy(void **state)
{
    (void)state;
    struct world world;
    const char *why;
    memset(&world, 0, sizeof world);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    static const char *const origins[] = {"127.0.0.1:1", "localhost:1"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(hostport_parse(&world.origin, origins[i], &why), 0);
        const struct client_config config = {
            .origin = &world.origin, .timeout = PATIENCE, .on_answer = on_answer, .arg = &world};
        struct client *client = client_new(&world.loop, &config);
        client_send(client, slice_str(REQUEST));
        client_close(client);
        uv_run(&world.loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(world.failures, 0);
    assert_int_equal(uv_loop_close(&world.loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_interim_answers_are_passed_over),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_told_as_it_comes),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_keeps_the_connection),
        cmocka_unit_test(test_opens_another_after_a_close),
        cmocka_unit_test(test_what_nobody_asked_for_answers_nothing),
        cmocka_unit_test(test_line_ends_mean_nothing),
        cmocka_unit_test(test_many_line_ends_may_hide_something),
        cmocka_unit_test(test_a_sent_call_is_not_sent_again),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_closed_while_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
