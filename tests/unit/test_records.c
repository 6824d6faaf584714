/* What the observers write: the exchange log, the payload capture, and files that fail. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "lib/json_text.h"
#include "mitm_proxy/capture_end.h"
#include "mitm_proxy/observe_exchanges.h"
#include "mitm_proxy/observe_pcap.h"
#include "mitm_proxy/synthetic_packet.h"

static char path[] = "/tmp/test_records_XXXXXX";

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/test_records_XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static size_t read_file(char *out, size_t size)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(out, 1, size - 1, file);
    out[len] = '\0';
    fclose(file);
    return len;
}

static struct connection a_connection(const char *host)
{
    struct connection connection = {.id = 7};
    struct hostport client = {.port = 40000}, server = {.port = 8000};
    snprintf(client.host, sizeof client.host, "%s", host);
    snprintf(server.host, sizeof server.host, "%s", host);
    for (int leg = 0; leg < 2; leg++) {
        assert_int_equal(hostport_literal(&client, &connection.legs[leg].opener), 0);
        assert_int_equal(hostport_literal(&server, &connection.legs[leg].server), 0);
        connection.legs[leg].open = true;
    }
    snprintf(connection.client, sizeof connection.client, "127.0.0.1:40000");
    snprintf(connection.upstream, sizeof connection.upstream, "127.0.0.1:8000");
    return connection;
}

static void assert_member(const struct json_text *json, const char *pointer, const char *raw)
{
    int value = json_text_find(json, pointer);
    if (value < 0)
        fail_msg("no %s", pointer);
    struct slice text = json_text_raw(json, value);
    if (!slice_is(text, raw))
        fail_msg("%s is %.*s, not %s", pointer, (int)text.len, text.data, raw);
}

static void test_exchange_record(void **state)
{
    static const char body[] =
        "{\"id\":9007199254740993,\"tool_name\":\"a\\u0000\\\"b\",\"arguments\":{}}";
    struct connection connection = a_connection("127.0.0.1");
    struct http_head head = {.method = slice_str("POST"), .target = slice_of("/t\xff\"\\", 5)};
    char text[4096];
    int err;
    (void)state;
    struct observe_exchanges *log = observe_exchanges_new(path, &err);
    assert_non_null(log);
    struct observer observer = observe_exchanges_observer(log);
    struct exchange *exchange = exchange_new(NULL, &connection, 3);
    assert_int_equal(exchange_set_head(exchange, &head), 0);
    exchange_read_names(exchange, slice_str(body));
    exchange_note_field(exchange, "Host", slice_str("a\x1b"), slice_str("b"));
    exchange->status = 200;
    observer.exchange(observer.state, exchange);
    exchange_free(exchange);
    observer.close(observer.state);

    size_t len = read_file(text, sizeof text);
    assert_int_equal(text[len - 1], '\n');
    struct json_text *json = json_text_parse(slice_of(text, len - 1), NULL, NULL);
    assert_non_null(json);
    assert_member(json, "/exchange", "3");
    assert_member(json, "/connection", "7");
    assert_member(json, "/call_id", "9007199254740993");
    assert_member(json, "/tool_name", "\"a\\u0000\\\"b\"");
    assert_member(json, "/rpc_method", "null");
    assert_member(json, "/target", "\"/t\xef\xbf\xbd\\\"\\\\\"");
    assert_member(json, "/status", "200");
    assert_member(json, "/request_sha256", "null");
    assert_member(json, "/changes/0/new", "\"b\"");
    assert_member(json, "/changes/0/old", "\"a\\u001b\"");
    assert_member(json, "/error", "null");
    json_text_free(json);
}

static void test_names(void **state)
{
    static const struct {
        const char *body, *id, *tool, *rpc;
    } cases[] = {
        {"{\"id\":\"x\",\"tool_name\":\"t\"}", "\"x\"", "\"t\"", NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"name\":\"n\"}}", "1",
            "\"n\"", "\"m\""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", NULL, NULL, "\"m\""},
        {"{\"id\":{},\"tool_name\":1}", NULL, NULL, NULL},
        {"{\"id\":null}", NULL, NULL, NULL},
        {"[1]", NULL, NULL, NULL},
        {"{\"id\":1", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
    };
    struct connection connection = a_connection("127.0.0.1");
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct exchange *exchange = exchange_new(NULL, &connection, 1);
        const char *wanted[] = {cases[i].id, cases[i].tool, cases[i].rpc};
        exchange_read_names(exchange, slice_str(cases[i].body));
        const struct slice got[] = {exchange->call_id, exchange->tool_name, exchange->rpc_method};
        for (int j = 0; j < 3; j++)
            assert_true(wanted[j] ? slice_is(got[j], wanted[j]) : got[j].data == NULL);
        exchange_free(exchange);
    }
}

/* A request of three bytes, then a FIN, as the capture's reader sees them. */
static void write_capture(struct observer *observer, struct connection *connection)
{
    char payload[] = "abc";
    uv_buf_t run = uv_buf_init(payload, 3);
    observer->leg_opened(observer->state, connection, LEG_CLIENT);
    observer->bytes(
        observer->state, connection, LEG_CLIENT, DIRECTION_REQUEST, &run, 1, 1234567890123456789u);
    connection->legs[LEG_CLIENT].bytes[DIRECTION_REQUEST] += 3;
    observer->leg_ended(observer->state, connection, LEG_CLIENT, DIRECTION_REQUEST, false);
    observer->flush(observer->state);
}

static void check_capture(int ip_header, bool v6)
{
    static const uint8_t flags[] = {
        TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_PSH | TCP_ACK, TCP_FIN | TCP_ACK};
    char err[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);
    struct pcap_pkthdr *packet;
    const unsigned char *data;
    assert_non_null(pcap);
    assert_int_equal(pcap_datalink(pcap), DLT_RAW);
    for (size_t i = 0; i < sizeof flags; i++) {
        assert_int_equal(pcap_next_ex(pcap, &packet, &data), 1);
        assert_int_equal(data[0] >> 4, v6 ? 6 : 4);
        assert_int_equal(data[ip_header + 13], flags[i]);
        if (i == 3) {
            assert_int_equal(packet->caplen, ip_header + 20 + 3);
            assert_memory_equal(data + ip_header + 20, "abc", 3);
            assert_int_equal(packet->ts.tv_sec, 1234567890);
            assert_int_equal(packet->ts.tv_usec, 123456789);
        }
    }
    assert_int_equal(pcap_next_ex(pcap, &packet, &data), PCAP_ERROR_BREAK);
    pcap_close(pcap);
}

static void test_payload_capture(void **state)
{
    static const struct {
        const char *host;
        int ip_header;
    } cases[] = {{"127.0.0.1", 20}, {"::1", 40}, {"::ffff:10.0.0.1", 20}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct connection connection = a_connection(cases[i].host);
        int err;
        assert_int_equal(truncate(path, 0), 0);
        struct observe_pcap *pcap = observe_pcap_new(path, &err);
        assert_non_null(pcap);
        struct observer observer = observe_pcap_observer(pcap);
        write_capture(&observer, &connection);
        assert_int_equal(observe_pcap_file(pcap)->written, 5);
        check_capture(cases[i].ip_header, cases[i].ip_header == 40);
        observer.close(observer.state);
    }
}

static int changes;

static void on_change(void *arg, bool failing)
{
    (void)arg;
    (void)failing;
    changes++;
}

/* A file that may not grow is a disk that is full: the write is cut short, then fails. */
static void limit_size(rlim_t size)
{
    struct rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_capture_begun_on_a_full_disk(void **state)
{
    struct connection connection = a_connection("127.0.0.1");
    int err;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    limit_size(15);
    struct observe_pcap *pcap = observe_pcap_new(path, &err);
    assert_non_null(pcap);
    limit_size(RLIM_INFINITY);
    struct observer observer = observe_pcap_observer(pcap);
    write_capture(&observer, &connection);
    check_capture(20, false);
    observer.close(observer.state);
}

static void test_short_write_is_taken_back(void **state)
{
    struct sink_file file;
    char text[64];
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    changes = 0;
    assert_int_equal(sink_file_open(&file, path, "test file"), 0);
    file.on_change = on_change;
    limit_size(15);
    assert_true(sink_file_write(&file, "0123456789", 10, 1));
    assert_false(sink_file_write(&file, "abcdefghij", 10, 1)); /* five bytes would fit */
    assert_false(sink_file_write(&file, "abcdefghij", 10, 1));
    assert_int_equal(file.lost, 2);
    assert_int_equal(changes, 1);
    limit_size(RLIM_INFINITY);
    assert_true(sink_file_write(&file, "ABCDEFGHIJ", 10, 1));
    assert_int_equal(changes, 2);
    assert_int_equal(read_file(text, sizeof text), 20);
    assert_string_equal(text, "0123456789ABCDEFGHIJ");
    sink_file_close(&file);
}

enum { WRITERS = 4, WRITES = 3000 };

/* Lines of many lengths, each with an end that tells it is whole. After each that is cut there is
 * room for a few more. */
static void *write_lines(void *arg)
{
    static atomic_ulong limit = 1000;
    struct sink_file *file = arg;
    char line[400];
    for (int i = 0; i < WRITES; i++) {
        int len = snprintf(line, sizeof line, "<%0*d>\n", 1 + i * 7 % 390, i);
        if (!sink_file_write(file, line, (size_t)len, 1))
            limit_size(atomic_fetch_add(&limit, 700) + 700);
    }
    return NULL;
}

static void check_lines(uint64_t count)
{
    char line[512];
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in)) {
        assert_true(line[0] == '<' && strcmp(line + strlen(line) - 2, ">\n") == 0);
        assert_null(strchr(line + 1, '<'));
        count--;
    }
    assert_int_equal(count, 0);
    fclose(in);
}

/* Half a record is taken back before another thread's stands behind it. */
static void test_threads_write_whole_records(void **state)
{
    struct sink_file file;
    pthread_t threads[WRITERS];
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(sink_file_open(&file, path, "test file"), 0);
    limit_size(1000);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &file), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    limit_size(RLIM_INFINITY);
    assert_true(file.lost > 0);
    assert_int_equal(file.written + file.lost, WRITERS * WRITES);
    check_lines(file.written);
    sink_file_close(&file);
}

static void make_room(void *arg, bool failing)
{
    (void)arg;
    if (failing)
        limit_size(RLIM_INFINITY);
}

/* There was no room for the line feed, and is some for the record: it would end half a line. */
static void test_half_a_line_is_ended_first(void **state)
{
    struct connection connection = a_connection("127.0.0.1");
    char text[4096];
    int err;
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    FILE *half = fopen(path, "w");
    assert_true(half && fputs("{\"half\":", half) >= 0 && fclose(half) == 0);
    struct observe_exchanges *log = observe_exchanges_new(path, &err);
    assert_non_null(log);
    struct observer observer = observe_exchanges_observer(log);
    observe_exchanges_file(log)->on_change = make_room;
    limit_size(8);
    for (uint64_t id = 1; id <= 2; id++) {
        struct exchange *exchange = exchange_new(NULL, &connection, id);
        observer.exchange(observer.state, exchange);
        observer.commit(observer.state);
        exchange_free(exchange);
    }
    assert_int_equal(observe_exchanges_file(log)->lost, 1);
    observer.close(observer.state);
    read_file(text, sizeof text);
    assert_memory_equal(text, "{\"half\":\n{\"ts\":", 15);
    assert_non_null(strstr(text, "\"exchange\":2,"));
}

static void test_reopen(void **state)
{
    struct sink_file file;
    char text[64];
    (void)state;
    assert_int_equal(sink_file_open(&file, path, "test file"), 0);
    assert_true(sink_file_write(&file, "old", 3, 1));
    assert_false(sink_file_reopen(&file)); /* it is still the same */
    assert_int_equal(unlink(path), 0);
    assert_true(sink_file_reopen(&file));
    assert_true(sink_file_write(&file, "new", 3, 1));
    read_file(text, sizeof text);
    assert_string_equal(text, "new");
    sink_file_close(&file);
}

static int count_packets(void)
{
    char err[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, err);
    struct pcap_pkthdr *packet;
    const unsigned char *data;
    int count = 0, status;
    assert_non_null(pcap);
    while ((status = pcap_next_ex(pcap, &packet, &data)) == 1)
        count++;
    pcap_close(pcap);
    return status == PCAP_ERROR_BREAK ? count : -1;
}

/* A run that was killed while it wrote, and the run after it: nothing whole is lost. */
static void test_payload_capture_goes_on(void **state)
{
    struct stat now;
    int err;
    (void)state;
    for (int run = 1; run <= 3; run++) {
        struct connection connection = a_connection("127.0.0.1");
        struct observe_pcap *pcap = observe_pcap_new(path, &err);
        assert_non_null(pcap);
        struct observer observer = observe_pcap_observer(pcap);
        write_capture(&observer, &connection);
        observer.close(observer.state);
        assert_int_equal(count_packets(), 4 * run + 1);
        assert_int_equal(stat(path, &now), 0);
        assert_int_equal(truncate(path, now.st_size - 5), 0); /* the FIN is torn */
    }
}

static void append_record(struct sink_file *file, uint32_t len)
{
    uint32_t record[4 + 8] = {1, 2, len, len};
    assert_true(sink_file_write(file, record, 16 + len, 1));
}

static void test_pcap_goes_on(void **state)
{
    static const uint32_t header[6] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 101};
    struct sink_file file;
    struct stat now;
    (void)state;
    for (int run = 1; run <= 3; run++) {
        assert_int_equal(sink_file_open_headed(
                             &file, path, "test file", header, sizeof header, capture_end_pcap),
            0);
        append_record(&file, 20);
        append_record(&file, 7);
        sink_file_close(&file);
        assert_int_equal(count_packets(), run + 1);
        assert_int_equal(stat(path, &now), 0);
        assert_int_equal(truncate(path, now.st_size - 1), 0);
    }
}

static void test_another_kind_is_set_aside(void **state)
{
    static const uint32_t header[6] = {0xa1b23c4d, 2 | 4 << 16, 0, 0, 65535, 101};
    struct sink_file file;
    char text[64], aside[80];
    (void)state;
    assert_int_equal(sink_file_open(&file, path, "test file"), 0);
    assert_true(sink_file_write(&file, "precious", 8, 1));
    sink_file_close(&file);
    assert_int_equal(
        sink_file_open_headed(&file, path, "test file", header, sizeof header, capture_end_pcap),
        0);
    append_record(&file, 3);
    sink_file_close(&file);
    assert_int_equal(count_packets(), 1);
    snprintf(aside, sizeof aside, "%s.1", path);
    assert_int_equal(rename(aside, path), 0);
    read_file(text, sizeof text);
    assert_string_equal(text, "precious");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_exchange_record, make_path, remove_path),
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_payload_capture, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_capture_begun_on_a_full_disk, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_short_write_is_taken_back, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_payload_capture_goes_on, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_pcap_goes_on, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_another_kind_is_set_aside, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_threads_write_whole_records, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_half_a_line_is_ended_first, make_path, remove_path),
        cmocka_unit_test_setup_teardown(test_reopen, make_path, remove_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
