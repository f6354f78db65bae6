/* SPDX-License-Identifier: Apache-2.0
 *
 * One session, one call after the other: what of the last request is kept, and what is not. The
 * server answers with what it got: method, path, the field Mark, and the body. */
#include "../net/served.h"

#include "base/time.h"
#include "export/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT_BYTES = 8 << 20 };

struct fixture {
    struct served served;
    char url[100];
    struct ftri_http_session *session;
    struct ftri_bytes answer;
    struct ftri_bytes body;
};

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument, (void)exchange;
}

/* Not answered: Mark: silent. */
static void on_body(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    const ftr_str method = http_exchange_method(exchange);
    const ftr_str path = http_exchange_path(exchange);
    const ftr_str mark = http_exchange_header(exchange, "Mark");
    const struct ftri_view body = http_exchange_body(exchange);
    struct ftri_bytes answer;
    if (mark.len == 6 && memcmp(mark.data, "silent", 6) == 0)
        return;
    ftri_bytes_init(&answer, LIMIT_BYTES);
    assert_int_equal(ftri_bytes_printf(&answer, "%.*s %.*s %.*s ", (int)method.len, method.data,
                                       (int)path.len, path.data, (int)mark.len,
                                       mark.data ? mark.data : ""),
                     0);
    assert_int_equal(ftri_bytes_append(&answer, body.data, body.len), 0);
    http_exchange_send(exchange, 200, NULL, ftri_bytes_view(&answer));
    ftri_bytes_deinit(&answer);
}

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct http_limits limits;
    http_limits_default(&limits);
    const struct http_handler handler = {.on_request = on_request, .on_body = on_body};
    served_start(&self->served, &limits, &handler, "127.0.0.1:0");
    snprintf(self->url, sizeof self->url, "http://%s", http_server_address(self->served.server));
    self->session = ftri_http_session_new();
    ftri_bytes_init(&self->answer, LIMIT_BYTES);
    ftri_bytes_init(&self->body, LIMIT_BYTES);
    *state = self;
    return self->session ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    ftri_http_session_free(self->session);
    served_stop(&self->served);
    ftri_bytes_deinit(&self->answer);
    ftri_bytes_deinit(&self->body);
    free(self);
    return 0;
}

/* A body whose bytes say where they stand. */
static void fill_body(struct fixture *self, size_t len, unsigned seed)
{
    ftri_bytes_reset(&self->body);
    assert_int_equal(ftri_bytes_reserve(&self->body, len), 0);
    for (size_t i = 0; i < len; i++)
        self->body.data[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + seed);
    self->body.len = len;
}

static int call(struct fixture *self, const struct ftri_http_request *request)
{
    struct ftri_http_answer answer;
    ftri_bytes_reset(&self->answer);
    const int r = ftri_http_session_call(self->session, request, &self->answer, &answer);
    assert_int_equal(answer.status, r == 0 ? 200 : 0);
    return r;
}

static void assert_answer(const struct fixture *self, const char *head, struct ftri_view body)
{
    const size_t head_len = strlen(head);
    assert_int_equal(self->answer.len, head_len + body.len);
    assert_memory_equal(self->answer.data, head, head_len);
    if (body.len)
        assert_memory_equal(self->answer.data + head_len, body.data, body.len);
}

/* Sizes around those of libcurl's buffer, which grows and stays. */
static void test_each_call_sends_its_own_body_and_headers(void **state)
{
    struct fixture *self = *state;
    static const size_t sizes[] = {10, 700000, 0, 65536, 65537, 3000000, 1048576, 1048577, 1};
    char mark[32], head[64];
    const char *headers[] = {mark, NULL};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        fill_body(self, sizes[i], i);
        snprintf(mark, sizeof mark, "Mark: call-%u", i);
        snprintf(head, sizeof head, "POST / call-%u ", i);
        const struct ftri_http_request request = {.method = "POST",
                                                  .url = self->url,
                                                  .headers = headers,
                                                  .body = ftri_bytes_view(&self->body),
                                                  .timeout_ns = 30 * FTRI_NS_PER_S};
        assert_int_equal(call(self, &request), 0);
        assert_answer(self, head, request.body);
    }
}

static void test_another_method_or_place_is_another_request(void **state)
{
    struct fixture *self = *state;
    char other[120];
    snprintf(other, sizeof other, "%s/other", self->url);
    const struct ftri_view body = ftri_view_of("body", 4);
    const struct {
        const char *method, *url, *head;
        struct ftri_view body;
    } calls[] = {
        {"POST", self->url, "POST /  ", body},     {"GET", self->url, "GET /  ", {NULL, 0}},
        {"PUT", self->url, "PUT /  ", body},       {"POST", other, "POST /other  ", body},
        {"GET", other, "GET /other  ", {NULL, 0}}, {"GET", self->url, "GET /  ", {NULL, 0}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct ftri_http_request request = {.method = calls[i].method,
                                                  .url = calls[i].url,
                                                  .body = calls[i].body,
                                                  .timeout_ns = 30 * FTRI_NS_PER_S};
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(call(self, &request), 0);
            assert_answer(self, calls[i].head, calls[i].body);
        }
    }
}

static void test_each_call_has_its_own_timeout(void **state)
{
    struct fixture *self = *state;
    char mark[32] = "Mark: loud";
    const char *headers[] = {mark, NULL};
    struct ftri_http_request request = {
        .method = "POST", .url = self->url, .headers = headers, .timeout_ns = 3600 * FTRI_NS_PER_S};
    assert_int_equal(call(self, &request), 0);
    memcpy(mark, "Mark: silent", sizeof "Mark: silent");
    request.timeout_ns = 20 * FTRI_NS_PER_MS;
    assert_int_equal(call(self, &request), -ETIMEDOUT);
    memcpy(mark, "Mark: loud", sizeof "Mark: loud");
    request.timeout_ns = 30 * FTRI_NS_PER_S;
    assert_int_equal(call(self, &request), 0);
    assert_answer(self, "POST / loud ", (struct ftri_view){NULL, 0});
}

static void *cancel(void *argument)
{
    ftri_http_session_cancel(argument);
    return NULL;
}

/* Its timeout is an hour. */
static void test_a_call_is_cancelled_by_another_thread(void **state)
{
    struct fixture *self = *state;
    const char *headers[] = {"Mark: silent", NULL};
    const struct ftri_http_request request = {
        .method = "GET", .url = self->url, .headers = headers, .timeout_ns = 3600 * FTRI_NS_PER_S};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel, self->session), 0);
    assert_true(call(self, &request) < 0);
    pthread_join(thread, NULL);
    assert_int_equal(call(self, &request), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_call_sends_its_own_body_and_headers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_another_method_or_place_is_another_request, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_each_call_has_its_own_timeout, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_call_is_cancelled_by_another_thread, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
