/* SPDX-License-Identifier: Apache-2.0
 *
 * The asynchronous client against a real server that holds its answers until told. */
#include "../net/served.h"

#include "base/time.h"
#include "export/http_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_PLACES = 4, ANSWER_BYTES = 1000 };

struct fixture {
    struct served served;
    struct http_exchange *held[N_PLACES];
    size_t n_held;
    char url[100];
    struct ftri_http_client *client;
    size_t n_wakes; /* under served.mutex */
    size_t n_done;
    pthread_t test_thread;
    struct ftri_http_answer last;
    char last_body[100];
    int resend_result;
};

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument, (void)exchange;
}

static bool path_is(const struct http_exchange *exchange, const char *path)
{
    const ftr_str got = http_exchange_path(exchange);
    return got.len == strlen(path) && memcmp(got.data, path, got.len) == 0;
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    struct fixture *self = argument;
    if (path_is(exchange, "/big")) {
        char body[ANSWER_BYTES + 1] = {0};
        http_exchange_send(exchange, 200, NULL, ftri_view_of(body, sizeof body));
        return;
    }
    if (!path_is(exchange, "/held")) {
        const ftr_str method = http_exchange_method(exchange);
        http_exchange_set_header(exchange, "Retry-After", "7");
        http_exchange_send(exchange, method.len == 3 ? 503 : 200, NULL,
                           http_exchange_body(exchange));
        return;
    }
    pthread_mutex_lock(&self->served.mutex);
    assert_true(self->n_held < N_PLACES);
    self->held[self->n_held++] = exchange;
    pthread_cond_broadcast(&self->served.changed);
    pthread_mutex_unlock(&self->served.mutex);
}

static void on_wake(void *argument)
{
    struct fixture *self = argument;
    pthread_mutex_lock(&self->served.mutex);
    self->n_wakes++;
    pthread_cond_broadcast(&self->served.changed);
    pthread_mutex_unlock(&self->served.mutex);
}

static void wait_for(struct fixture *self, const size_t *counter, size_t wanted)
{
    pthread_mutex_lock(&self->served.mutex);
    while (*counter < wanted)
        pthread_cond_wait(&self->served.changed, &self->served.mutex);
    pthread_mutex_unlock(&self->served.mutex);
}

static void on_done(void *argument, const struct ftri_http_answer *answer)
{
    struct fixture *self = argument;
    assert_true(pthread_equal(self->test_thread, pthread_self()));
    self->n_done++;
    self->last = *answer;
    snprintf(self->last_body, sizeof self->last_body, "%.*s", (int)answer->body.len,
             answer->body.data ? (const char *)answer->body.data : "");
}

static int send_to(struct fixture *self, const char *method, const char *path)
{
    static const char *const headers[] = {"X-Test: 1", NULL};
    char url[200];
    snprintf(url, sizeof url, "%s%s", self->url, path);
    const struct ftri_http_request request = {
        .method = method,
        .url = url,
        .headers = headers,
        .body = ftri_view_of("hello", 5),
        .timeout_ns = 20 * FTRI_NS_PER_S,
    };
    return ftri_http_client_send(self->client, &request, on_done, self);
}

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct http_limits limits;
    http_limits_default(&limits);
    const struct http_handler handler = {on_request, on_body, NULL, self};
    served_start(&self->served, &limits, &handler, "127.0.0.1:0");
    snprintf(self->url, sizeof self->url, "http://%s", http_server_address(self->served.server));
    self->test_thread = pthread_self();
    assert_int_equal(ftri_http_client_new(N_PLACES, ANSWER_BYTES, on_wake, self, &self->client), 0);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    ftri_http_client_free(self->client);
    served_stop(&self->served);
    free(self);
    return 0;
}

static void collect(struct fixture *self, size_t n_wakes)
{
    wait_for(self, &self->n_wakes, n_wakes);
    ftri_http_client_collect(self->client);
}

static void test_answers_are_handed_over_on_the_users_thread(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(send_to(self, "POST", "/"), 0);
    collect(self, 1);
    assert_int_equal(self->n_done, 1);
    assert_int_equal(self->last.status, 200);
    assert_string_equal(self->last_body, "hello");
    assert_int_equal(send_to(self, "GET", "/"), 0);
    collect(self, 2);
    assert_int_equal(self->last.status, 503);
    assert_true(self->last.retry_after_ns == 7 * FTRI_NS_PER_S);
    assert_string_equal(self->last_body, ""); /* a GET carries none */
    assert_int_equal(send_to(self, "PUT", "/"), 0);
    collect(self, 3);
    assert_string_equal(self->last_body, "hello");
}

static void answer_held(struct served *served)
{
    struct fixture *self = FTRI_CONTAINER(served, struct fixture, served);
    for (size_t i = 0; i < self->n_held; i++)
        http_exchange_send(self->held[i], 200, NULL, ftri_view_of("ok", 2));
    self->n_held = 0;
}

static void test_several_are_under_way_and_no_more_than_the_limit(void **state)
{
    struct fixture *self = *state;
    for (int i = 0; i < N_PLACES; i++)
        assert_int_equal(send_to(self, "POST", "/held"), 0);
    assert_int_equal(send_to(self, "POST", "/held"), -EAGAIN);
    wait_for(self, &self->n_held, N_PLACES); /* all of them at the same time */
    served_do(&self->served, answer_held);
    wait_for(self, &self->n_wakes, N_PLACES);
    /* Answers that were not collected still hold their places. */
    assert_int_equal(send_to(self, "POST", "/"), -EAGAIN);
    assert_int_equal(ftri_http_client_collect(self->client), N_PLACES);
    assert_int_equal(self->n_done, N_PLACES);
    assert_int_equal(send_to(self, "POST", "/"), 0);
}

static void on_done_resend(void *argument, const struct ftri_http_answer *answer)
{
    struct fixture *self = argument;
    on_done(argument, answer);
    self->resend_result = send_to(self, "POST", "/");
}

static void test_a_callback_may_send_again(void **state)
{
    struct fixture *self = *state;
    char url[200];
    snprintf(url, sizeof url, "%s/", self->url);
    const struct ftri_http_request request = {
        .method = "POST", .url = url, .timeout_ns = 20 * FTRI_NS_PER_S};
    assert_int_equal(ftri_http_client_send(self->client, &request, on_done_resend, self), 0);
    collect(self, 1);
    assert_int_equal(self->resend_result, 0);
    collect(self, 2);
    assert_int_equal(self->n_done, 2);
}

static void test_failures_have_no_status_and_a_reason(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(send_to(self, "POST", "/big"), 0);
    collect(self, 1);
    assert_int_equal(self->last.status, 0);
    assert_string_equal(self->last.error, "the answer is larger than the limit");
    snprintf(self->url, sizeof self->url, "ftp://127.0.0.1");
    assert_int_equal(send_to(self, "POST", "/"), 0);
    collect(self, 2);
    assert_int_equal(self->last.status, 0);
    assert_string_not_equal(self->last.error, "");
}

static void test_free_aborts_without_calling_back(void **state)
{
    struct fixture *self = *state;
    assert_int_equal(send_to(self, "POST", "/held"), 0);
    wait_for(self, &self->n_held, 1);
    assert_int_equal(send_to(self, "POST", "/held"), 0);
    ftri_http_client_free(self->client);
    self->client = NULL;
    assert_int_equal(self->n_done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers_are_handed_over_on_the_users_thread),
        TEST(test_several_are_under_way_and_no_more_than_the_limit),
        TEST(test_a_callback_may_send_again),
        TEST(test_failures_have_no_status_and_a_reason),
        TEST(test_free_aborts_without_calling_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
