/* SPDX-License-Identifier: Apache-2.0
 *
 * exporter/file on disks that are full, exporter/http against the product's own server, the
 * endpoints of exporter/otlp. */
#include "base/file.h"
#include "net/http_server.h"
#include "telemetry.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/ftr-exporters-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/out.ndjson", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void open_file_graph(const char *where, const char *more)
{
    char text[512];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  write: {type: exporter/file, config: {path: '%s'%s}}\n"
             "connections:\n"
             "  - {from: source, to: write}\n",
             where, more);
    rig_open(text);
}

static void check_file(const char *expected)
{
    struct ftri_bytes content;
    ftri_bytes_init(&content, 1 << 20);
    assert_int_equal(ftri_file_read(path, &content), 0);
    assert_int_equal(ftri_bytes_append_char(&content, '\0'), 0);
    assert_string_equal((const char *)content.data, expected);
    ftri_bytes_deinit(&content);
}

static void feed_and_wait(const char *key)
{
    rig_feed_key(key);
    rig_wait(rig_is_settled);
}

static void test_file_is_appended_to(void **state)
{
    (void)state;
    open_file_graph(path, "");
    feed_and_wait("a");
    rig_close();
    open_file_graph(path, ", sync: true");
    feed_and_wait("b");
    assert_int_equal(rig.n_acks, 1);
    rig_close();
    check_file("{\"key\":\"a\"}\n{\"key\":\"b\"}\n");
    open_file_graph(path, ", truncate: true");
    feed_and_wait("c");
    rig_close();
    check_file("{\"key\":\"c\"}\n");
}

static void test_file_on_a_full_disk(void **state)
{
    (void)state;
    open_file_graph("/dev/full", "");
    for (size_t i = 1; i <= 2; i++) {
        feed_and_wait("a");
        assert_int_equal(rig.n_nacks, i);
        assert_false(rig.refusal.is_permanent);
        assert_string_equal(rig.refusal.reason, "writing: No space left on device");
    }
    rig_close();
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
}

/* The disk takes 20 bytes more: the batch that did not fit leaves nothing behind. */
static void test_file_is_cut_back_after_a_part(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    open_file_graph(path, "");
    feed_and_wait("first");
    const struct rlimit small = {36, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    feed_and_wait("much too long for what is left");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rig.n_nacks, 1);
    assert_false(rig.refusal.is_permanent);
    check_file("{\"key\":\"first\"}\n");
    feed_and_wait("second");
    assert_int_equal(rig.n_acks, 2);
    rig_close();
    check_file("{\"key\":\"first\"}\n{\"key\":\"second\"}\n");
}

/* What logrotate does with `copytruncate`: the next line is the file's first. */
static void test_file_that_is_truncated_by_another(void **state)
{
    (void)state;
    struct stat status;
    open_file_graph(path, "");
    feed_and_wait("a");
    assert_int_equal(truncate(path, 0), 0);
    feed_and_wait("b");
    rig_close();
    check_file("{\"key\":\"b\"}\n");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 12);
}

static void test_file_that_cannot_be_opened(void **state)
{
    (void)state;
    struct ftri_error error;
    char text[512];
    snprintf(text, sizeof text,
             "nodes:\n"
             "  source: {type: receiver/rig}\n"
             "  write: {type: exporter/file, config: {path: '%s/none/out'}}\n"
             "connections:\n"
             "  - {from: source, to: write}\n",
             folder);
    assert_int_equal(rig_build(text, &error), 0);
    assert_int_equal(graph_start(rig.graph, &error), -ENOENT);
    assert_non_null(strstr(error.text, "exporter/file 'write'"));
    assert_non_null(strstr(error.text, "none/out: No such file or directory"));
    rig_close();
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
}

/* A server that answers as told, and holds back what it is told to. */
static struct {
    struct http_server *server;
    int status;
    bool is_holding;
    struct http_exchange *held[8];
    size_t n_held, n_requests;
    char last_type[64];
    char last_body[256];
} peer;

static void on_abandoned(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    for (size_t i = 0; i < peer.n_held; i++)
        if (peer.held[i] == exchange)
            peer.held[i] = NULL;
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument, (void)exchange;
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    const struct ftri_view body = http_exchange_body(exchange);
    const ftr_str type = http_exchange_header(exchange, "content-type");
    peer.n_requests++;
    snprintf(peer.last_type, sizeof peer.last_type, "%.*s", (int)type.len, type.data);
    snprintf(peer.last_body, sizeof peer.last_body, "%.*s", (int)body.len, (const char *)body.data);
    if (peer.is_holding) {
        assert_true(peer.n_held < FTRI_COUNT(peer.held));
        http_exchange_on_abandoned(exchange, on_abandoned);
        peer.held[peer.n_held++] = exchange;
    } else {
        http_exchange_send(exchange, peer.status, "text/plain", ftri_view_of("x", 1));
    }
}

static const char http_graph[] =
    "nodes:\n"
    "  source: {type: receiver/rig}\n"
    "  deliver: {type: exporter/http, config: {url: 'http://127.0.0.1:%u/in', max_in_flight: 2}}\n"
    "connections:\n"
    "  - {from: source, to: deliver}\n";

/* The server has a loop of its own, since its port is part of the graph's description. */
static void open_http_graph(struct loop **ret_loop)
{
    struct ftri_error error = {{0}};
    char text[512];
    memset(&peer, 0, sizeof peer);
    *ret_loop = loop_new(&error);
    struct http_server_options options = {
        .address = "127.0.0.1:0", .handler = {.on_request = on_request, .on_body = on_body}};
    http_limits_default(&options.limits);
    assert_int_equal(http_server_open(*ret_loop, &options, &peer.server, &error), 0);
    const char *port = strrchr(http_server_address(peer.server), ':') + 1;
    snprintf(text, sizeof text, http_graph, (unsigned)strtoul(port, NULL, 10));
    rig_open(text);
}

static void on_tick(void *argument)
{
    loop_stop(argument);
}

static void turn(struct loop *loop)
{
    struct loop_timer *timer = loop_timer_new(loop, on_tick, loop);
    assert_non_null(timer);
    loop_timer_start(timer, FTRI_NS_PER_MS);
    loop_run(loop);
    loop_timer_free(timer);
}

/* One loop, then the other. */
static void serve_until(struct loop *loop, bool (*condition)(void))
{
    const uint64_t deadline_ns = ftri_time_monotonic_ns() + RIG_DEADLINE_NS;
    while (!condition() && ftri_time_monotonic_ns() < deadline_ns) {
        turn(loop);
        turn(rig.loop);
    }
    assert_true(condition());
}

static void close_http_graph(struct loop *loop)
{
    rig_close();
    http_server_close(peer.server);
    loop_free(loop);
}

static void test_http_answers(void **state)
{
    (void)state;
    static const struct {
        int status;
        bool is_taken, is_permanent;
    } rows[] = {{200, true, false},  {202, true, false},  {204, true, false},  {429, false, false},
                {502, false, false}, {503, false, false}, {504, false, false}, {400, false, true},
                {404, false, true},  {413, false, true},  {500, false, true},  {302, false, true}};
    struct loop *loop;
    open_http_graph(&loop);
    for (size_t i = 0; i < FTRI_COUNT(rows); i++) {
        peer.status = rows[i].status;
        rig.n_acks = rig.n_nacks = rig.n_fed = 0;
        rig_feed_key("a");
        serve_until(loop, rig_is_settled);
        assert_int_equal(rig.n_acks, rows[i].is_taken);
        if (rows[i].is_taken)
            continue;
        char reason[64];
        snprintf(reason, sizeof reason, "the server answered %d", rows[i].status);
        assert_string_equal(rig.refusal.reason, reason);
        assert_int_equal(rig.refusal.is_permanent, rows[i].is_permanent);
    }
    assert_string_equal(peer.last_type, "application/x-ndjson");
    assert_string_equal(peer.last_body, "{\"key\":\"a\"}\n");
    close_http_graph(loop);
}

static void test_http_without_a_server(void **state)
{
    (void)state;
    struct loop *loop;
    open_http_graph(&loop);
    http_server_close(peer.server);
    peer.server = NULL;
    rig_feed_key("a");
    serve_until(loop, rig_is_settled);
    assert_int_equal(rig.n_nacks, 1);
    assert_false(rig.refusal.is_permanent);
    assert_true(rig.refusal.reason[0] != '\0');
    close_http_graph(loop);
}

static bool has_two_requests(void)
{
    return peer.n_requests == 2;
}

static bool has_three_requests(void)
{
    return peer.n_requests == 3;
}

static void test_http_has_so_many_requests_at_once(void **state)
{
    (void)state;
    struct loop *loop;
    open_http_graph(&loop);
    peer.is_holding = true;
    for (size_t i = 0; i < 3; i++)
        rig_feed_key("a");
    serve_until(loop, has_two_requests);
    assert_int_equal(rig_account("deliver")->received, 2);
    http_exchange_send(peer.held[0], 200, NULL, ftri_view_of("", 0));
    serve_until(loop, has_three_requests);
    http_exchange_send(peer.held[1], 200, NULL, ftri_view_of("", 0));
    http_exchange_send(peer.held[2], 503, NULL, ftri_view_of("", 0));
    serve_until(loop, rig_is_settled);
    assert_int_equal(rig.n_acks, 2);
    assert_int_equal(rig.n_nacks, 1);
    close_http_graph(loop);
}

/* Requests under way when the graph goes: at the deadline of a drain, and without one. */
static void test_http_stops_with_requests_under_way(void **state)
{
    (void)state;
    for (int is_drained = 0; is_drained < 2; is_drained++) {
        struct loop *loop;
        open_http_graph(&loop);
        peer.is_holding = true;
        rig_feed_key("a");
        rig_feed_key("b");
        serve_until(loop, has_two_requests);
        if (is_drained) {
            graph_drain(rig.graph, 10 * FTRI_NS_PER_MS);
            serve_until(loop, rig_is_drained);
            assert_int_equal(rig.n_nacks, 2);
            http_exchange_send(peer.held[0], 200, NULL, ftri_view_of("", 0)); /* too late */
            for (size_t i = 0; i < 5; i++) {
                turn(loop);
                turn(rig.loop);
            }
        }
        close_http_graph(loop);
    }
}

static void test_http_refusals(void **state)
{
    (void)state;
    rig_refuse("nodes:\n"
               "  source: {type: receiver/rig}\n"
               "  deliver: {type: exporter/http, config: {url: 'ftp://x/'}}\n"
               "connections: [{from: source, to: deliver}]\n",
               "graph:3:", "url");
}

#define OTLP(config)                                                                               \
    "nodes:\n"                                                                                     \
    "  source: {type: receiver/rig}\n"                                                             \
    "  send: {type: exporter/otlp, config: " config "}\n"                                          \
    "connections: [{from: source, to: send}]\n"

static void test_otlp_endpoints(void **state)
{
    (void)state;
    rig_refuse(OTLP("{}"), "graph:3:", "'endpoint' is required");
    rig_refuse(OTLP("{protocol: grpc, endpoint: 'h:1', logs_endpoint: 'http://h:1/x'}"),
               "graph:3:", "logs_endpoint: not with protocol grpc");
    rig_refuse(OTLP("{traces_endpoint: 'ftp://h'}"), "graph:3:", "traces_endpoint: expected a URL");
}

/* A signal without an endpoint of its own, nor one for all, goes nowhere. */
static void test_otlp_without_an_endpoint_for_the_signal(void **state)
{
    (void)state;
    rig_open(OTLP("{traces_endpoint: 'http://127.0.0.1:9/v1/traces'}"));
    telemetry_feed("{'resourceLogs':[{'scopeLogs':[{'logRecords':[{'severityNumber':9}]}]}]}");
    rig_wait(rig_is_settled);
    assert_int_equal(rig.n_nacks, 1);
    assert_true(rig.refusal.is_permanent);
    assert_string_equal(rig.refusal.reason, "there is no endpoint for this signal");
    rig_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file_is_appended_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_on_a_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_is_cut_back_after_a_part, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_that_is_truncated_by_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_that_cannot_be_opened, set_up, tear_down),
        cmocka_unit_test(test_http_answers),
        cmocka_unit_test(test_http_without_a_server),
        cmocka_unit_test(test_http_has_so_many_requests_at_once),
        cmocka_unit_test(test_http_stops_with_requests_under_way),
        cmocka_unit_test(test_http_refusals),
        cmocka_unit_test(test_otlp_endpoints),
        cmocka_unit_test(test_otlp_without_an_endpoint_for_the_signal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
