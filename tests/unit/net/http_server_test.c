/* SPDX-License-Identifier: Apache-2.0
 *
 * The server through real sockets: a blocking client speaks raw bytes. */
#include "served.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/gzip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST "Host: a\r\n"

/* ---- the handler: what a request gets depends on its path ---- */

enum { MAX_HELD = 256 };

struct fixture {
    struct served served;
    struct http_limits limits;
    /* Loop's thread; the test looks through served_do or under served.mutex. */
    struct http_exchange *held[MAX_HELD];
    size_t n_held;
    size_t n_abandoned;
    size_t n_refused;
    size_t n_big;
    size_t largest_body;
};

static bool path_is(const struct http_exchange *exchange, const char *path)
{
    const ftr_str got = http_exchange_path(exchange);
    return got.len == strlen(path) && memcmp(got.data, path, got.len) == 0;
}

static void answer(struct http_exchange *exchange, int status, const char *text)
{
    http_exchange_send(exchange, status, "text/plain", ftri_view_of(text, strlen(text)));
}

/* Tells the test that a counter moved. */
static void count(struct fixture *self, size_t *counter)
{
    pthread_mutex_lock(&self->served.mutex);
    ++*counter;
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

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    if (path_is(exchange, "/early"))
        answer(exchange, 404, "no such thing");
}

static void on_abandoned(void *argument, struct http_exchange *exchange)
{
    struct fixture *self = argument;
    for (size_t i = 0; i < self->n_held; i++)
        if (self->held[i] == exchange)
            self->held[i] = NULL;
    count(self, &self->n_abandoned);
}

static void hold(struct fixture *self, struct http_exchange *exchange)
{
    assert_true(self->n_held < MAX_HELD);
    http_exchange_on_abandoned(exchange, on_abandoned);
    self->held[self->n_held] = exchange;
    count(self, &self->n_held);
}

static void send_big(struct fixture *self, struct http_exchange *exchange)
{
    count(self, &self->n_big);
    const size_t len = (size_t)8 << 20;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    http_exchange_send(exchange, 200, "text/plain", ftri_view_of(text, len));
    free(text);
}

static void send_parameter(struct http_exchange *exchange)
{
    struct ftri_bytes value;
    ftri_bytes_init(&value, 100);
    const bool is_there = http_exchange_parameter(exchange, "p", &value);
    http_exchange_set_header(exchange, "X-There", is_there ? "yes" : "no");
    http_exchange_send(exchange, 200, "text/plain", ftri_bytes_view(&value));
    ftri_bytes_deinit(&value);
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    struct fixture *self = argument;
    if (path_is(exchange, "/later")) {
        hold(self, exchange);
    } else if (path_is(exchange, "/big")) {
        send_big(self, exchange);
    } else if (path_is(exchange, "/a b")) {
        send_parameter(exchange);
    } else if (path_is(exchange, "/bad")) {
        http_exchange_set_header(exchange, "X", "a\r\nInjected: b");
        answer(exchange, 200, "never seen");
    } else if (path_is(exchange, "/none")) {
        http_exchange_send(exchange, 204, NULL, (struct ftri_view){0});
    } else {
        struct ftri_bytes body = http_exchange_take_body(exchange);
        http_exchange_send(exchange, 200, "text/plain", ftri_bytes_view(&body));
        ftri_bytes_deinit(&body);
    }
}

static void on_refusal(void *argument, struct http_exchange *exchange, int status,
                       const char *reason)
{
    struct fixture *self = argument;
    (void)status, (void)reason;
    if (http_exchange_body(exchange).len > self->largest_body)
        self->largest_body = http_exchange_body(exchange).len;
    count(self, &self->n_refused);
}

static void begin(struct fixture *self)
{
    const struct http_handler handler = {on_request, on_body, on_refusal, self};
    served_start(&self->served, &self->limits, &handler, "127.0.0.1:0");
}

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    http_limits_default(&self->limits);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    served_stop(&((struct fixture *)*state)->served);
    free(*state);
    return 0;
}

/* ---- the client ---- */

static uint16_t port_of(const struct served *served)
{
    return (uint16_t)strtoul(strrchr(http_server_address(served->server), ':') + 1, NULL, 10);
}

static int dial(const struct fixture *self)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port_of(&self->served)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {20, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say_bytes(int fd, const void *data, size_t len)
{
    const char *next = data;
    while (len > 0) {
        const ssize_t n = send(fd, next, len, MSG_NOSIGNAL);
        if (n < 0)
            return; /* refused and closed: what was answered is looked at next */
        next += n;
        len -= (size_t)n;
    }
}

static void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Everything until the peer closes. */
static char *hear_all(int fd)
{
    struct ftri_bytes heard;
    ftri_bytes_init(&heard, (size_t)64 << 20);
    for (;;) {
        assert_int_equal(ftri_bytes_reserve(&heard, 65536), 0);
        const ssize_t n = recv(fd, heard.data + heard.len, 65536, 0);
        if (n < 0)
            fail_msg("reading: %s", strerror(errno));
        if (n == 0)
            break;
        heard.len += (size_t)n;
    }
    assert_int_equal(ftri_bytes_append(&heard, "", 1), 0);
    close(fd);
    return (char *)heard.data;
}

/* One answer with Content-Length, NUL-terminated. */
static void hear_answer(int fd, char *room, size_t room_len)
{
    size_t len = 0;
    size_t wanted = room_len;
    while (len < wanted) {
        assert_true(len + 1 < room_len);
        /* To the end of the head byte by byte: what follows is the next answer's. */
        const ssize_t n = recv(fd, room + len, wanted == room_len ? 1 : wanted - len, 0);
        assert_true(n > 0);
        len += (size_t)n;
        room[len] = '\0';
        const char *length = strstr(room, "Content-Length: ");
        if (wanted == room_len && strstr(room, "\r\n\r\n"))
            wanted = len + (length ? (size_t)strtoul(length + 16, NULL, 10) : 0);
    }
}

static void assert_talk(const struct fixture *self, const char *request, const char *expected)
{
    const int fd = dial(self);
    say(fd, request);
    char *heard = hear_all(fd);
    assert_string_equal(heard, expected);
    free(heard);
}

static void assert_status(const struct fixture *self, const char *request, int status)
{
    const int fd = dial(self);
    say(fd, request);
    char *heard = hear_all(fd);
    if (strncmp(heard, "HTTP/1.1 ", 9) != 0 || strtol(heard + 9, NULL, 10) != status)
        fail_msg("%s\nwas answered %s, not %d", request, heard, status);
    assert_non_null(strstr(heard, "\r\nConnection: close\r\n"));
    /* A refusal is the only and last answer: nothing behind it was taken for a request. */
    assert_null(strstr(heard + 1, "HTTP/1.1 "));
    free(heard);
}

/* ---- tests ---- */

static void test_answers_are_framed(void **state)
{
    struct fixture *self = *state;
    begin(self);
    assert_talk(self,
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                "Content-Length: 0\r\n\r\n");
    assert_talk(self, "GET /none HTTP/1.0\r\n\r\n",
                "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    assert_talk(self, "HEAD /early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nConnection: close\r\n"
                "Content-Length: 13\r\n\r\n");
    assert_talk(self, "GET /bad HTTP/1.0\r\n\r\n",
                "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n"
                "Content-Length: 0\r\n\r\n");
    assert_talk(self, "GET http://x/a%20b?p=1%2B1&q HTTP/1.0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nX-There: yes\r\nContent-Type: text/plain\r\n"
                "Connection: close\r\nContent-Length: 3\r\n\r\n1+1");
}

/* The last chunk, the trailers and the empty line behind them belong to the request they end. */
static void test_a_connection_goes_on_after_a_chunked_request(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const char *const requests[] = {
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "1\r\nh\r\n1;x\r\ni\r\n000\r\nT: a\r\nU: b\r\n\r\n",
        "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi",
    };
    const int fd = dial(self);
    char heard[512];
    for (size_t i = 0; i < FTRI_COUNT(requests); i++)
        say(fd, requests[i]);
    for (size_t i = 0; i < FTRI_COUNT(requests); i++) {
        hear_answer(fd, heard, sizeof heard);
        assert_string_equal(heard, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                                   "Content-Length: 2\r\n\r\nhi");
    }
    close(fd);
}

static void test_a_half_closed_client_gets_its_answers(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int fd = dial(self);
    say(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na"
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nb");
    shutdown(fd, SHUT_WR);
    char *heard = hear_all(fd);
    assert_non_null(strstr(heard, "\r\n\r\naHTTP/1.1 200 OK"));
    assert_string_equal(heard + strlen(heard) - 5, "\r\n\r\nb");
    free(heard);
}

static void test_refusals(void **state)
{
    struct fixture *self = *state;
    self->limits.body_bytes = 8;
    self->limits.target_bytes = 100;
    begin(self);
    static const struct {
        int status;
        const char *request;
    } rows[] = {
        {400, "GET /%zz HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /%00 HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\n" HOST "\r\n"},
        {413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n"},
        {417, "POST / HTTP/1.1\r\n" HOST "Expect: cake\r\nContent-Length: 1\r\n\r\n"},
        {415, "POST / HTTP/1.1\r\n" HOST "Content-Encoding: br\r\nContent-Length: 1\r\n\r\nx"},
        {415,
         "POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"},
        {400,
         "POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"},
        /* smuggling: what follows must not be taken for a request */
        {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 0\r\n\r\n"
              "GET /early HTTP/1.1\r\n" HOST "\r\n"},
        {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n"
              "GET /early HTTP/1.1\r\n" HOST "\r\n"},
        {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"
              "GET /early HTTP/1.1\r\n" HOST "\r\n"},
        {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n"
              "GET /early HTTP/1.1\r\n" HOST "\r\n"},
        /* the rest of the body is not read: it must not be taken for a request either */
        {404, "POST /early HTTP/1.1\r\n" HOST "Content-Length: 80\r\n\r\n"
              "GET / HTTP/1.1\r\n" HOST "\r\n"},
    };
    for (size_t i = 0; i < FTRI_COUNT(rows); i++)
        assert_status(self, rows[i].request, rows[i].status);
    char request[300];
    snprintf(request, sizeof request, "GET /%0150d HTTP/1.1\r\n" HOST "\r\n", 0);
    assert_status(self, request, 414);
}

static void test_expect_continue_is_answered(void **state)
{
    struct fixture *self = *state;
    begin(self);
    char heard[512];
    const int fd = dial(self);
    say(fd, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    hear_answer(fd, heard, sizeof heard);
    assert_string_equal(heard, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "hi");
    hear_answer(fd, heard, sizeof heard);
    assert_string_equal(heard + strlen(heard) - 6, "\r\n\r\nhi");
    close(fd);
}

static void answer_held(struct served *served)
{
    struct fixture *self = FTRI_CONTAINER(served, struct fixture, served);
    for (size_t i = 0; i < self->n_held; i++)
        if (self->held[i])
            answer(self->held[i], 200, "late");
    self->n_held = 0;
}

static void test_pipelined_requests_wait_for_a_late_answer(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int fd = dial(self);
    say(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n"
            "GET /later HTTP/1.1\r\n" HOST "\r\n"
            "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nthird");
    char heard[512];
    for (int i = 0; i < 2; i++) {
        wait_for(self, &self->n_held, 1);
        /* Only one exchange of a connection is ever open. */
        assert_int_equal(self->n_held, 1);
        served_do(&self->served, answer_held);
        hear_answer(fd, heard, sizeof heard);
        assert_string_equal(heard + strlen(heard) - 8, "\r\n\r\nlate");
    }
    hear_answer(fd, heard, sizeof heard);
    assert_string_equal(heard + strlen(heard) - 9, "\r\n\r\nthird");
    close(fd);
}

static void test_a_long_pipeline_does_not_grow_the_stack(void **state)
{
    struct fixture *self = *state;
    begin(self);
    enum { N_REQUESTS = 20000 };
    const char request[] = "GET / HTTP/1.1\r\n" HOST "\r\n";
    struct ftri_bytes all;
    ftri_bytes_init(&all, (size_t)4 << 20);
    for (int i = 0; i < N_REQUESTS; i++)
        assert_int_equal(ftri_bytes_append(&all, request, sizeof request - 1), 0);
    const int fd = dial(self);
    const pid_t sender = fork();
    if (sender == 0) {
        say_bytes(fd, all.data, all.len);
        shutdown(fd, SHUT_WR);
        _exit(0);
    }
    char *heard = hear_all(fd);
    const size_t len = strlen("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                              "Content-Length: 0\r\n\r\n");
    assert_int_equal(waitpid(sender, NULL, 0), sender);
    assert_int_equal(strlen(heard), len * N_REQUESTS);
    free(heard);
    ftri_bytes_deinit(&all);
}

static void test_an_abandoned_exchange_is_reported(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int fd = dial(self);
    say(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    wait_for(self, &self->n_held, 1);
    close(fd);
    wait_for(self, &self->n_abandoned, 1);
}

static void test_close_abandons_what_is_open(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int fd = dial(self);
    say(fd, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    wait_for(self, &self->n_held, 1);
    served_stop(&self->served);
    assert_int_equal(self->n_abandoned, 1);
    begin(self);
    close(fd);
}

static void test_timeouts(void **state)
{
    struct fixture *self = *state;
    self->limits.header_timeout_ns = 50 * FTRI_NS_PER_MS;
    self->limits.body_timeout_ns = 50 * FTRI_NS_PER_MS;
    self->limits.idle_timeout_ns = 50 * FTRI_NS_PER_MS;
    begin(self);
    assert_status(self, "GET / HT", 408);
    assert_status(self, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nabc", 408);
    assert_talk(self, "", "");
    /* A peer that does not read its answer loses it. */
    const int fd = dial(self);
    say(fd, "GET /big HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    const uint64_t deadline = ftri_time_monotonic_ns() + 20 * FTRI_NS_PER_S;
    char byte;
    ssize_t n = 1;
    while (n > 0 && recv(fd, &byte, 1, MSG_PEEK) > 0 && ftri_time_monotonic_ns() < deadline) {
        /* The server gives up: a reset shows as an error on our side. */
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
        n = error ? 0 : send(fd, "x", 1, MSG_NOSIGNAL);
    }
    assert_true(ftri_time_monotonic_ns() < deadline);
    close(fd);
}

static void test_big_answers_arrive_whole(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int fd = dial(self);
    say(fd, "GET /big HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    char *heard = hear_all(fd);
    const char *body = strstr(heard, "\r\n\r\n") + 4;
    assert_int_equal(strspn(body, "x"), (size_t)8 << 20);
    free(heard);
}

static void note_connections(struct served *served)
{
    served->argument = (void *)http_server_n_connections(served->server);
}

/* 20 answers of 8 MiB that nobody reads: only the first is made. */
static void test_a_peer_that_does_not_read_is_not_written_for(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int fd = dial(self);
    for (int i = 0; i < 20; i++)
        say(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n");
    wait_for(self, &self->n_big, 1);
    served_do(&self->served, note_connections);
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    served_do(&self->served, note_connections);
    assert_int_equal(self->n_big, 1);
    close(fd);
}

static void append_gzip_request(struct ftri_bytes *out, const char *plain, size_t len,
                                size_t n_members)
{
    struct ftri_bytes member;
    ftri_bytes_init(&member, len + 1000);
    assert_int_equal(ftri_gzip(ftri_view_of(plain, len), 6, &member), 0);
    assert_int_equal(ftri_bytes_printf(out,
                                       "POST / HTTP/1.1\r\n" HOST "Connection: close\r\n"
                                       "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                                       member.len * n_members),
                     0);
    for (size_t i = 0; i < n_members; i++)
        assert_int_equal(ftri_bytes_append(out, member.data, member.len), 0);
    ftri_bytes_deinit(&member);
}

static void test_gzip_bodies_are_decoded(void **state)
{
    struct fixture *self = *state;
    begin(self);
    struct ftri_bytes request;
    ftri_bytes_init(&request, 10000);
    append_gzip_request(&request, "hello gzip", 10, 1);
    const int fd = dial(self);
    say_bytes(fd, request.data, request.len);
    char *heard = hear_all(fd);
    assert_string_equal(heard + strlen(heard) - 14, "\r\n\r\nhello gzip");
    free(heard);
    ftri_bytes_deinit(&request);
}

static long peak_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* CVE-2024-36129: 1 GiB out of 1 MiB. */
static void test_a_gzip_bomb_is_refused_in_bounded_memory(void **state)
{
    struct fixture *self = *state;
    self->limits.body_bytes = (size_t)2 << 20;
    begin(self);
    struct ftri_bytes request;
    ftri_bytes_init(&request, (size_t)4 << 20);
    char *zeros = calloc(1, (size_t)1 << 20);
    append_gzip_request(&request, zeros, (size_t)1 << 20, 1024);
    free(zeros);
    const long before = peak_kib();
    const int fd = dial(self);
    say_bytes(fd, request.data, request.len);
    char *heard = hear_all(fd);
    assert_memory_equal(heard, "HTTP/1.1 413 ", 13);
    free(heard);
    assert_true(self->largest_body <= self->limits.body_bytes);
    assert_true(peak_kib() - before < 16 * 1024);
    ftri_bytes_deinit(&request);
}

static void test_all_bodies_together_are_bounded(void **state)
{
    struct fixture *self = *state;
    self->limits.all_bodies_bytes = 64 * 1024;
    begin(self);
    const int fd = dial(self);
    say(fd, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 40000\r\n\r\n");
    char block[40000];
    memset(block, 'b', sizeof block);
    say_bytes(fd, block, sizeof block);
    wait_for(self, &self->n_held, 1);
    const int second = dial(self);
    say(second, "POST / HTTP/1.1\r\n" HOST "Content-Length: 40000\r\n\r\n");
    say_bytes(second, block, sizeof block);
    char *heard = hear_all(second);
    assert_memory_equal(heard, "HTTP/1.1 503 ", 13);
    assert_non_null(strstr(heard, "\r\nRetry-After: 2\r\n"));
    free(heard);
    /* The first gone, there is room again. */
    close(fd);
    wait_for(self, &self->n_abandoned, 1);
    const int third = dial(self);
    say(third, "POST / HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: 40000\r\n\r\n");
    say_bytes(third, block, sizeof block);
    heard = hear_all(third);
    assert_memory_equal(heard, "HTTP/1.1 200 ", 13);
    free(heard);
}

static void test_two_hundred_connections_at_once(void **state)
{
    struct fixture *self = *state;
    begin(self);
    enum { N = 200 };
    int fds[N];
    for (int i = 0; i < N; i++) {
        fds[i] = dial(self);
        say(fds[i], "GET /later HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    }
    wait_for(self, &self->n_held, N);
    served_do(&self->served, answer_held);
    for (int i = 0; i < N; i++) {
        char *heard = hear_all(fds[i]);
        assert_string_equal(heard + strlen(heard) - 4, "late");
        free(heard);
    }
}

static void test_connections_beyond_the_limit_wait(void **state)
{
    struct fixture *self = *state;
    self->limits.connections = 2;
    begin(self);
    const int first = dial(self);
    const int second = dial(self);
    const int third = dial(self); /* in the kernel's queue */
    say(first, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    say(second, "GET /later HTTP/1.1\r\n" HOST "\r\n");
    say(third, "GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    wait_for(self, &self->n_held, 2);
    served_do(&self->served, note_connections);
    assert_int_equal((size_t)self->served.argument, 2);
    close(first);
    char *heard = hear_all(third);
    assert_memory_equal(heard, "HTTP/1.1 200 ", 13);
    free(heard);
    close(second);
}

static void drain(struct served *served)
{
    http_server_drain(served->server);
}

static void test_drain_answers_what_is_open_and_closes_the_rest(void **state)
{
    struct fixture *self = *state;
    begin(self);
    const int open = dial(self);
    say(open, "GET /later HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    wait_for(self, &self->n_held, 1);
    char heard[512];
    const int idle = dial(self);
    say(idle, "GET / HTTP/1.1\r\n" HOST "\r\n");
    hear_answer(idle, heard, sizeof heard);
    served_do(&self->served, drain);
    char *rest = hear_all(idle);
    assert_string_equal(rest, "");
    free(rest);
    served_do(&self->served, answer_held);
    rest = hear_all(open);
    assert_non_null(strstr(rest, "Connection: close\r\n"));
    assert_string_equal(rest + strlen(rest) - 4, "late");
    free(rest);
}

/* Each request for memory fails in turn, ours among them: an answer, or a closed connection. */
static void test_short_memory_costs_at_most_the_connection(void **state)
{
    struct fixture *self = *state;
    begin(self);
    struct ftri_bytes request;
    ftri_bytes_init(&request, 10000);
    append_gzip_request(&request, "hello gzip", 10, 1);
    size_t n_answered = 0;
    enum { N_RUNS = 40 };
    for (uint64_t n = 1; n <= N_RUNS; n++) {
        char heard[1024];
        ftri_mem_fail_at(n);
        const int fd = dial(self);
        say_bytes(fd, request.data, request.len);
        size_t len = 0;
        ssize_t got;
        while ((got = recv(fd, heard + len, sizeof heard - 1 - len, 0)) > 0)
            len += (size_t)got;
        ftri_mem_fail_at(0);
        close(fd);
        heard[len] = '\0';
        if (len > 0)
            assert_memory_equal(heard, "HTTP/1.1 ", 9);
        n_answered += strstr(heard, "hello gzip") != NULL;
    }
    /* Some fail, those beyond the last request for memory do not. */
    assert_in_range(n_answered, 1, N_RUNS - 3);
    ftri_bytes_deinit(&request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_gzip_bomb_is_refused_in_bounded_memory), /* first: peaks are for ever */
        TEST(test_answers_are_framed),
        TEST(test_a_connection_goes_on_after_a_chunked_request),
        TEST(test_a_half_closed_client_gets_its_answers),
        TEST(test_refusals),
        TEST(test_expect_continue_is_answered),
        TEST(test_pipelined_requests_wait_for_a_late_answer),
        TEST(test_a_long_pipeline_does_not_grow_the_stack),
        TEST(test_an_abandoned_exchange_is_reported),
        TEST(test_close_abandons_what_is_open),
        TEST(test_timeouts),
        TEST(test_big_answers_arrive_whole),
        TEST(test_a_peer_that_does_not_read_is_not_written_for),
        TEST(test_gzip_bodies_are_decoded),
        TEST(test_all_bodies_together_are_bounded),
        TEST(test_two_hundred_connections_at_once),
        TEST(test_connections_beyond_the_limit_wait),
        TEST(test_drain_answers_what_is_open_and_closes_the_rest),
        TEST(test_short_memory_costs_at_most_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
