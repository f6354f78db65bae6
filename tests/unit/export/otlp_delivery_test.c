/* SPDX-License-Identifier: Apache-2.0
 *
 * The exporter against a server that answers by a script. */
#include "../net/served.h"

#include "base/time.h"
#include "export/otlp_delivery.h"

#include <arpa/inet.h>
#include <flowtrace/exporter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_ANSWERS = 4, N_SPANS = 7 };

struct scripted {
    int status; /* 0: never answered */
    const char *retry_after;
    const char *body;
    size_t body_len;
};

struct fixture {
    struct served served;
    struct scripted script[MAX_ANSWERS];
    size_t n_requests;
    char seen[1024]; /* of the last request */
    struct ftri_otlp_delivery *exporter;
};

static void note_request(struct fixture *self, struct http_exchange *exchange)
{
    const ftr_str path = http_exchange_path(exchange);
    const ftr_str type = http_exchange_header(exchange, "content-type");
    const ftr_str agent = http_exchange_header(exchange, "user-agent");
    const ftr_str key = http_exchange_header(exchange, "key");
    const ftr_str coding = http_exchange_header(exchange, "content-encoding");
    const ftr_str body = ftri_view_str(http_exchange_body(exchange));
    snprintf(self->seen, sizeof self->seen, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", (int)path.len,
             path.data, (int)type.len, type.data ? type.data : "", (int)agent.len,
             agent.data ? agent.data : "", (int)key.len, key.data ? key.data : "", (int)coding.len,
             coding.data ? coding.data : "", (int)body.len, body.data ? body.data : "");
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument, (void)exchange;
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    struct fixture *self = argument;
    pthread_mutex_lock(&self->served.mutex);
    assert_true(self->n_requests < MAX_ANSWERS);
    const struct scripted *next = &self->script[self->n_requests++];
    pthread_mutex_unlock(&self->served.mutex);
    note_request(self, exchange);
    if (next->status == 0)
        return;
    if (next->retry_after)
        http_exchange_set_header(exchange, "Retry-After", next->retry_after);
    if (next->status == 307)
        http_exchange_set_header(exchange, "Location", "/elsewhere");
    http_exchange_send(exchange, next->status, "application/x-protobuf",
                       ftri_view_of(next->body, next->body_len));
}

static size_t count_requests(struct fixture *self)
{
    pthread_mutex_lock(&self->served.mutex);
    const size_t n = self->n_requests;
    pthread_mutex_unlock(&self->served.mutex);
    return n;
}

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct http_limits limits;
    http_limits_default(&limits);
    const struct http_handler handler = {on_request, on_body, NULL, self};
    served_start(&self->served, &limits, &handler, "127.0.0.1:0");
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    if (self->exporter)
        ftri_otlp_delivery_class(0)->close(self->exporter);
    served_stop(&self->served);
    free(self);
    return 0;
}

static void open_exporter(struct fixture *self, const char *url, ftr_otlp_compression compression,
                          uint32_t timeout_ms)
{
    const ftr_otlp_options options = {
        .size = sizeof options,
        .endpoint = {url, strlen(url)},
        .headers = FTR_STR("key=value%20here"),
        .compression = compression,
        .timeout_ms = timeout_ms,
    };
    struct ftri_otlp_settings settings;
    ftri_otlp_settings_init(&settings);
    assert_int_equal(ftri_otlp_settings_from_options(&settings, &options, NULL), 0);
    self->exporter = ftri_otlp_delivery_new(&settings);
    assert_non_null(self->exporter);
    ftri_otlp_settings_deinit(&settings);
}

static void open_here(struct fixture *self, ftr_otlp_compression compression, uint32_t timeout_ms)
{
    char url[100];
    snprintf(url, sizeof url, "http://%s/v1/traces", http_server_address(self->served.server));
    open_exporter(self, url, compression, timeout_ms);
}

static void export_within(struct fixture *self, uint64_t ns, ftr_export_result *ret_result)
{
    const ftr_export_batch batch = {
        .size = sizeof batch, .n_spans = N_SPANS, .otlp = (const uint8_t *)"bytes", .otlp_len = 5};
    ftri_otlp_delivery_class(0)->export_batch(self->exporter, &batch, ftri_time_monotonic_ns() + ns,
                                              ret_result);
    assert_int_equal(ret_result->n_delivered + ret_result->n_rejected + ret_result->n_lost,
                     N_SPANS);
}

static void assert_export(struct fixture *self, size_t n_delivered, size_t n_rejected)
{
    ftr_export_result result;
    export_within(self, 20 * FTRI_NS_PER_S, &result);
    assert_int_equal(result.n_delivered, n_delivered);
    assert_int_equal(result.n_rejected, n_rejected);
}

static void note_connections(struct served *served)
{
    served->argument = (void *)http_server_n_connections(served->server);
}

static void test_a_batch_is_delivered(void **state)
{
    struct fixture *self = *state;
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* not for loopback */
    open_here(self, FTR_OTLP_PLAIN, 0);
    self->script[0].status = self->script[1].status = 200;
    assert_export(self, N_SPANS, 0);
    assert_string_equal(
        self->seen, "/v1/traces|application/x-protobuf|OTel-OTLP-Exporter-Flowtrace/" FTR_VERSION
                    "|value here||bytes");
    assert_export(self, N_SPANS, 0);
    served_do(&self->served, note_connections);
    assert_int_equal((size_t)self->served.argument, 1); /* the same connection again */
    unsetenv("http_proxy");
}

static void test_gzip(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_GZIP, 0);
    self->script[0].status = self->script[1].status = 200;
    for (int i = 0; i < 2; i++) {
        assert_export(self, N_SPANS, 0);
        assert_non_null(strstr(self->seen, "|gzip|bytes"));
    }
}

static void test_503_is_tried_again_after_what_the_server_asks(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 0);
    self->script[0] = (struct scripted){.status = 503, .retry_after = "2"};
    self->script[1].status = 200;
    const uint64_t start_ns = ftri_time_monotonic_ns();
    assert_export(self, N_SPANS, 0);
    assert_int_equal(count_requests(self), 2);
    assert_true(ftri_time_monotonic_ns() - start_ns >= 2 * FTRI_NS_PER_S);
}

static void test_429_without_a_delay_backs_off_about_a_second(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 0);
    self->script[0].status = 429;
    self->script[1].status = 200;
    const uint64_t start_ns = ftri_time_monotonic_ns();
    assert_export(self, N_SPANS, 0);
    assert_true(ftri_time_monotonic_ns() - start_ns >= 800 * FTRI_NS_PER_MS);
}

static void test_a_delay_beyond_the_deadline_gives_up_at_once(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 5000);
    self->script[0] = (struct scripted){.status = 502, .retry_after = "60"};
    const uint64_t start_ns = ftri_time_monotonic_ns();
    assert_export(self, 0, 0);
    assert_int_equal(count_requests(self), 1);
    assert_true(ftri_time_monotonic_ns() - start_ns < 4 * FTRI_NS_PER_S);
}

static void test_a_date_as_delay_is_understood(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 5000);
    self->script[0] =
        (struct scripted){.status = 504, .retry_after = "Fri, 31 Dec 2100 23:59:59 GMT"};
    assert_export(self, 0, 0);
    assert_int_equal(count_requests(self), 1);
}

static void test_other_failures_are_final(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 0);
    static const int statuses[] = {400, 401, 500, 307};
    for (size_t i = 0; i < FTRI_COUNT(statuses); i++) {
        self->script[i].status = statuses[i];
        assert_export(self, 0, 0);
        assert_int_equal(count_requests(self), i + 1);
    }
}

static void test_partial_success_counts_as_rejected(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 0);
    /* partial_success {rejected_spans: 3, error_message: "no"}, by protobuf.dev, "Encoding" */
    self->script[0] = (struct scripted){200, NULL, "\x0a\x06\x08\x03\x12\x02no", 8};
    /* a server that rejects more than it got */
    self->script[1] = (struct scripted){200, NULL, "\x0a\x03\x08\xe8\x07", 5};
    /* not protobuf */
    self->script[2] = (struct scripted){200, NULL, "\xff\xff", 2};
    assert_export(self, N_SPANS - 3, 3);
    assert_export(self, 0, N_SPANS);
    assert_export(self, N_SPANS, 0);
}

static void test_a_black_hole_costs_the_deadline_and_no_more(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 0);
    const uint64_t start_ns = ftri_time_monotonic_ns();
    ftr_export_result result;
    export_within(self, 200 * FTRI_NS_PER_MS, &result);
    const uint64_t took_ns = ftri_time_monotonic_ns() - start_ns;
    assert_int_equal(result.n_lost, N_SPANS);
    assert_true(took_ns >= 190 * FTRI_NS_PER_MS && took_ns < 2 * FTRI_NS_PER_S);
    assert_int_equal(count_requests(self), 1);
}

static void test_the_configured_timeout_is_a_deadline_too(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 100);
    const uint64_t start_ns = ftri_time_monotonic_ns();
    assert_export(self, 0, 0);
    assert_true(ftri_time_monotonic_ns() - start_ns < 2 * FTRI_NS_PER_S);
}

static void test_a_huge_answer_is_refused(void **state)
{
    struct fixture *self = *state;
    open_here(self, FTR_OTLP_PLAIN, 0);
    const size_t len = (size_t)5 << 20;
    char *body = calloc(1, len);
    self->script[0] = (struct scripted){200, NULL, body, len};
    assert_export(self, 0, 0);
    assert_int_equal(count_requests(self), 1);
    free(body);
}

static uint16_t closed_port(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void test_a_refused_connection_is_tried_again_until_the_deadline(void **state)
{
    struct fixture *self = *state;
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)closed_port());
    open_exporter(self, url, FTR_OTLP_PLAIN, 0);
    const uint64_t start_ns = ftri_time_monotonic_ns();
    ftr_export_result result;
    export_within(self, 1500 * FTRI_NS_PER_MS, &result);
    assert_int_equal(result.n_lost, N_SPANS);
    assert_true(ftri_time_monotonic_ns() - start_ns >= 800 * FTRI_NS_PER_MS);
}

static void test_a_unix_socket(void **state)
{
    struct fixture *self = *state;
    char folder[] = "/tmp/otlp_http_test.XXXXXX";
    assert_non_null(mkdtemp(folder));
    char address[100];
    snprintf(address, sizeof address, "unix:%s/s", folder);
    struct http_limits limits;
    http_limits_default(&limits);
    const struct http_handler handler = {on_request, on_body, NULL, self};
    struct served other = {0};
    served_start(&other, &limits, &handler, address);
    char url[110];
    snprintf(url, sizeof url, "unix://%s", address + 5);
    open_exporter(self, url, FTR_OTLP_PLAIN, 0);
    self->script[0].status = 200;
    assert_export(self, N_SPANS, 0);
    assert_memory_equal(self->seen, "/v1/traces|", 11);
    served_stop(&other);
    assert_int_equal(rmdir(folder), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch_is_delivered),
        TEST(test_gzip),
        TEST(test_503_is_tried_again_after_what_the_server_asks),
        TEST(test_429_without_a_delay_backs_off_about_a_second),
        TEST(test_a_delay_beyond_the_deadline_gives_up_at_once),
        TEST(test_a_date_as_delay_is_understood),
        TEST(test_other_failures_are_final),
        TEST(test_partial_success_counts_as_rejected),
        TEST(test_a_black_hole_costs_the_deadline_and_no_more),
        TEST(test_the_configured_timeout_is_a_deadline_too),
        TEST(test_a_huge_answer_is_refused),
        TEST(test_a_refused_connection_is_tried_again_until_the_deadline),
        TEST(test_a_unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
