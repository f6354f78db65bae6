/* SPDX-License-Identifier: Apache-2.0
 *
 * The gRPC server through a socket: a blocking client speaks frames made by hand (RFC 9113), the
 * handler holds every call until the test says how it ends. The status of an answer is read off the
 * wire by its place: no client library is asked. */
#include "net/grpc_server.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7 };
enum { END_STREAM = 1, END_HEADERS = 4, INPUT_BYTES = 4096 };

struct fixture {
    struct grpc_limits limits;
    struct loop *loop;
    struct grpc_server *server;
    struct loop_wakeup *wakeup;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    void (*task)(struct fixture *self);
    bool is_done;
    struct grpc_call *held; /* loop's thread */
    size_t n_held;
    size_t n_abandoned;
    bool may_be_closed; /* by the server, at any moment: sends may fail */
    int fd;
    uint8_t input[INPUT_BYTES]; /* the last frame's payload */
};

/* ---- server ---- */

static void count(struct fixture *self, size_t *counter)
{
    pthread_mutex_lock(&self->mutex);
    ++*counter;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

static void wait_for(struct fixture *self, const size_t *counter, size_t wanted)
{
    pthread_mutex_lock(&self->mutex);
    while (*counter < wanted)
        pthread_cond_wait(&self->changed, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

static bool on_call(void *argument, struct grpc_call *call)
{
    (void)argument;
    const ftr_str path = grpc_call_path(call);
    return path.len == 4 && memcmp(path.data, "/a/b", 4) == 0;
}

static void on_message(void *argument, struct grpc_call *call)
{
    struct fixture *self = argument;
    self->held = call;
    count(self, &self->n_held);
}

static void on_abandoned(void *argument, struct grpc_call *call)
{
    struct fixture *self = argument;
    assert_ptr_equal(self->held, call);
    self->held = NULL;
    count(self, &self->n_abandoned);
}

static void on_wake(void *argument)
{
    struct fixture *self = argument;
    pthread_mutex_lock(&self->mutex);
    void (*task)(struct fixture *) = self->task;
    self->task = NULL;
    pthread_mutex_unlock(&self->mutex);
    if (!task)
        return;
    task(self);
    pthread_mutex_lock(&self->mutex);
    self->is_done = true;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
}

static void *run(void *argument)
{
    struct fixture *self = argument;
    loop_run(self->loop);
    return NULL;
}

/* On the loop's thread, and waits for it. */
static void on_loop(struct fixture *self, void (*task)(struct fixture *self))
{
    pthread_mutex_lock(&self->mutex);
    self->task = task;
    self->is_done = false;
    loop_wake(self->wakeup);
    while (!self->is_done)
        pthread_cond_wait(&self->changed, &self->mutex);
    pthread_mutex_unlock(&self->mutex);
}

static void finish_held(struct fixture *self)
{
    grpc_call_finish(self->held, ftri_view_of("done", 4));
    self->held = NULL;
}

static void expect_none_held(struct fixture *self)
{
    assert_int_equal(self->n_held, self->n_abandoned);
    self->n_held = 0;
}

static void drain(struct fixture *self)
{
    grpc_server_drain(self->server);
}

static void stop(struct fixture *self)
{
    loop_stop(self->loop);
}

/* ---- client ---- */

static void send_bytes(struct fixture *self, const void *bytes, size_t len)
{
    const ssize_t n = send(self->fd, bytes, len, MSG_NOSIGNAL);
    if (n < 0 && self->may_be_closed)
        return;
    assert_int_equal(n, (ssize_t)len);
}

static void send_frame(struct fixture *self, uint8_t type, uint8_t flags, uint8_t stream,
                       struct ftri_view payload)
{
    const uint8_t head[9] = {
        0, (uint8_t)(payload.len >> 8), (uint8_t)payload.len, type, flags, 0, 0, 0, stream};
    send_bytes(self, head, sizeof head);
    if (payload.len)
        send_bytes(self, payload.data, payload.len);
}

static size_t put_field(uint8_t *out, const char *name, const char *value)
{
    const size_t name_len = strlen(name);
    const size_t value_len = strlen(value);
    out[0] = 0;
    out[1] = (uint8_t)name_len;
    memcpy(out + 2, name, name_len);
    out[2 + name_len] = (uint8_t)value_len;
    memcpy(out + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

/* timeout may be NULL. */
static void send_call_of(struct fixture *self, uint8_t stream, uint8_t flags, const char *path,
                         const char *timeout)
{
    uint8_t block[512];
    size_t len = put_field(block, ":method", "POST");
    len += put_field(block + len, ":scheme", "http");
    len += put_field(block + len, ":path", path);
    len += put_field(block + len, ":authority", "a");
    len += put_field(block + len, "content-type", "application/grpc");
    if (timeout)
        len += put_field(block + len, "grpc-timeout", timeout);
    send_frame(self, HEADERS, flags, stream, ftri_view_of(block, len));
}

static void send_call(struct fixture *self, uint8_t stream, uint8_t flags, const char *timeout)
{
    send_call_of(self, stream, flags, "/a/b", timeout);
}

static void send_message(struct fixture *self, uint8_t stream)
{
    send_frame(self, DATA, END_STREAM, stream, ftri_view_of("\0\0\0\0\2hi", 7));
}

static bool read_exactly(struct fixture *self, uint8_t *out, size_t len)
{
    for (size_t n = 0; n < len;) {
        const ssize_t r = recv(self->fd, out + n, len - n, 0);
        if (r <= 0)
            return false;
        n += (size_t)r;
    }
    return true;
}

struct frame {
    uint8_t type;
    uint8_t flags;
    uint8_t stream;
    size_t len; /* of input */
};

static bool read_frame(struct fixture *self, struct frame *ret_frame)
{
    uint8_t head[9];
    if (!read_exactly(self, head, sizeof head))
        return false;
    *ret_frame = (struct frame){head[3], head[4], head[8], (size_t)head[1] << 8 | (size_t)head[2]};
    assert_true(ret_frame->len <= INPUT_BYTES);
    return read_exactly(self, self->input, ret_frame->len);
}

/* The next frame of that type; the test fails when the connection ends before. */
static struct frame expect(struct fixture *self, uint8_t type)
{
    struct frame frame;
    do {
        if (!read_frame(self, &frame))
            fail_msg("the connection ended; wanted type %d", type);
    } while (frame.type != type);
    return frame;
}

static void expect_end(struct fixture *self)
{
    struct frame frame;
    while (read_frame(self, &frame))
        assert_int_not_equal(frame.type, HEADERS);
}

static void expect_goaway(struct fixture *self, uint8_t error)
{
    const struct frame frame = expect(self, GOAWAY);
    assert_int_equal(frame.len >= 8 && self->input[7] == error, true);
}

/* ---- set-up ---- */

static void connect_client(struct fixture *self)
{
    const char *colon = strrchr(grpc_server_address(self->server), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(self->fd, (struct sockaddr *)&address, sizeof address), 0);
    const struct timeval limit = {20, 0};
    (void)setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void greet(struct fixture *self)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    send_bytes(self, preface, sizeof preface - 1);
    send_frame(self, SETTINGS, 0, 0, (struct ftri_view){0});
}

static void begin(struct fixture *self)
{
    struct ftri_error error = {""};
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->loop = loop_new(&error);
    assert_non_null(self->loop);
    const struct grpc_server_options options = {
        .address = "127.0.0.1:0",
        .limits = self->limits,
        .handler = {on_call, on_message, on_abandoned, self},
    };
    if (grpc_server_open(self->loop, &options, &self->server, &error) < 0)
        fail_msg("%s", error.text);
    self->wakeup = loop_wakeup_new(self->loop, on_wake, self);
    assert_non_null(self->wakeup);
    assert_int_equal(pthread_create(&self->thread, NULL, run, self), 0);
    connect_client(self);
}

static void end(struct fixture *self)
{
    on_loop(self, stop);
    pthread_join(self->thread, NULL);
    loop_wakeup_free(self->wakeup);
    grpc_server_close(self->server);
    loop_free(self->loop);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    close(self->fd);
}

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    assert_non_null(self);
    grpc_limits_default(&self->limits);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* ---- tests ---- */

static void test_a_held_call_is_answered_later(void **state)
{
    struct fixture *self = *state;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    on_loop(self, finish_held);
    assert_int_equal(expect(self, HEADERS).flags & END_STREAM, 0);
    const struct frame data = expect(self, DATA);
    assert_int_equal(data.len, 9);
    assert_memory_equal(self->input, "\0\0\0\0\4done", 9);
    assert_int_equal(expect(self, HEADERS).flags & END_STREAM, END_STREAM);
    end(self);
    assert_int_equal(self->n_abandoned, 0);
}

static void test_the_deadline_takes_a_call_from_its_handler(void **state)
{
    struct fixture *self = *state;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, "200m");
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    /* Trailers-Only, without another word. */
    assert_int_equal(expect(self, HEADERS).flags & END_STREAM, END_STREAM);
    wait_for(self, &self->n_abandoned, 1);
    end(self);
}

static void test_a_reset_takes_a_call_from_its_handler(void **state)
{
    struct fixture *self = *state;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    send_frame(self, RST_STREAM, 0, 1, ftri_view_of("\0\0\0\10", 4));
    wait_for(self, &self->n_abandoned, 1);
    end(self);
}

static void test_a_closed_connection_takes_its_calls(void **state)
{
    struct fixture *self = *state;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    (void)shutdown(self->fd, SHUT_WR);
    wait_for(self, &self->n_abandoned, 1);
    end(self);
}

static void test_closing_the_server_abandons(void **state)
{
    struct fixture *self = *state;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    end(self);
    assert_int_equal(self->n_abandoned, 1);
}

static void test_a_drain_lets_calls_finish(void **state)
{
    struct fixture *self = *state;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    on_loop(self, drain);
    expect_goaway(self, 0);
    assert_int_equal(self->input[3], 1); /* the last stream that counts */
    on_loop(self, finish_held);
    assert_int_equal(expect(self, DATA).len, 9);
    assert_int_equal(expect(self, HEADERS).flags & END_STREAM, END_STREAM);
    expect_end(self);
    end(self);
}

static void test_a_silent_peer_is_closed(void **state)
{
    struct fixture *self = *state;
    self->limits.header_timeout_ns = 100 * FTRI_NS_PER_MS;
    begin(self);
    expect_end(self);
    end(self);
}

static void test_a_slow_header_block(void **state)
{
    struct fixture *self = *state;
    self->limits.header_timeout_ns = 100 * FTRI_NS_PER_MS;
    begin(self);
    greet(self);
    send_call(self, 1, 0, NULL); /* CONTINUATION should follow */
    expect_goaway(self, 11);     /* ENHANCE_YOUR_CALM */
    expect_end(self);
    end(self);
}

static void test_an_idle_connection(void **state)
{
    struct fixture *self = *state;
    self->limits.idle_timeout_ns = 100 * FTRI_NS_PER_MS;
    begin(self);
    greet(self);
    expect_goaway(self, 0);
    expect_end(self);
    end(self);
}

static void test_a_slow_message(void **state)
{
    struct fixture *self = *state;
    self->limits.message_timeout_ns = 100 * FTRI_NS_PER_MS;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_frame(self, DATA, 0, 1, ftri_view_of("\0\0\0\0\2h", 6));
    assert_int_equal(expect(self, HEADERS).flags & END_STREAM, END_STREAM);
    /* The rest is not wanted: RST_STREAM(NO_ERROR). */
    expect(self, RST_STREAM);
    assert_memory_equal(self->input, "\0\0\0\0", 4);
    end(self);
    assert_int_equal(self->n_held, 0);
}

static void test_an_idle_call_of_the_handler_has_no_timeout(void **state)
{
    struct fixture *self = *state;
    self->limits.message_timeout_ns = 50 * FTRI_NS_PER_MS;
    self->limits.idle_timeout_ns = 50 * FTRI_NS_PER_MS;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_message(self, 1);
    wait_for(self, &self->n_held, 1);
    const struct timeval limit = {0, 300000};
    (void)setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    expect_end(self); /* nothing comes for 300 ms */
    on_loop(self, finish_held);
    assert_int_equal(expect(self, DATA).len, 9);
    end(self);
    assert_int_equal(self->n_abandoned, 0);
}

/* The second of two messages that together are too many bytes. */
static void test_bytes_of_a_connection_are_bounded(void **state)
{
    struct fixture *self = *state;
    static uint8_t part[3000] = {0, 0, 0, 0x0b, 0xb8}; /* 2995 of 3000 bytes */
    self->limits.connection_bytes = 5000;
    begin(self);
    greet(self);
    send_call(self, 1, END_HEADERS, NULL);
    send_frame(self, DATA, 0, 1, ftri_view_of(part, sizeof part));
    send_call(self, 3, END_HEADERS, NULL);
    send_frame(self, DATA, 0, 3, ftri_view_of(part, sizeof part));
    const struct frame refusal = expect(self, HEADERS);
    assert_int_equal(refusal.stream, 3);
    assert_int_equal(refusal.flags & END_STREAM, END_STREAM);
    end(self);
}

/* A reflection stream of a client whose windows let no answer through. */
static void reflect_unread(struct fixture *self, uint8_t stream, size_t n_requests)
{
    static const char path[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    static const char request[] = "\0\0\0\0\x25\x22\x23"
                                  "grpc.reflection.v1.ServerReflection";
    const uint8_t no_window[] = {0, 4, 0, 0, 0, 0}; /* SETTINGS_INITIAL_WINDOW_SIZE */
    send_frame(self, SETTINGS, 0, 0, ftri_view_of(no_window, sizeof no_window));
    send_call_of(self, stream, END_HEADERS, path, NULL);
    for (size_t i = 0; i < n_requests; i++)
        send_frame(self, DATA, 0, stream, ftri_view_of(request, 5 + 0x25));
}

/* Answers that nobody reads count as requests do: the next call on the connection is refused. */
static void test_unread_answers_are_bounded(void **state)
{
    struct fixture *self = *state;
    self->limits.connection_bytes = 16 * 1024;
    begin(self);
    greet(self);
    reflect_unread(self, 1, 100);
    send_call(self, 3, END_HEADERS, NULL);
    send_message(self, 3);
    struct frame answer;
    do
        answer = expect(self, HEADERS);
    while (answer.stream != 3);
    assert_int_equal(answer.flags & END_STREAM, END_STREAM);
    end(self);
    assert_int_equal(self->n_held, 0);
}

static bool has_input(const struct fixture *self)
{
    uint8_t byte;
    return recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

/* The call is refused for a wrong message; what trickles in afterwards does not keep it open. */
static void test_an_unread_answer_is_not_kept_by_sending(void **state)
{
    struct fixture *self = *state;
    struct frame frame = {0};
    self->limits.message_timeout_ns = 400 * FTRI_NS_PER_MS;
    begin(self);
    greet(self);
    reflect_unread(self, 1, 1);
    send_frame(self, DATA, 0, 1, ftri_view_of("\2\0\0\0\0", 5));
    for (int i = 0; i < 900 && frame.type != RST_STREAM; i++) {
        send_frame(self, DATA, 0, 1, ftri_view_of("x", 1));
        while (frame.type != RST_STREAM && has_input(self))
            assert_true(read_frame(self, &frame));
        usleep(20000);
    }
    assert_int_equal(frame.type, RST_STREAM);
    assert_memory_equal(self->input, "\0\0\0\x08", 4); /* CANCEL */
    end(self);
}

/* Each allocation of a call in turn: the server lives, and a later client is served. */
static void test_memory_short(void **state)
{
    struct fixture *self = *state;
    for (uint64_t n = 1; n < 60; n++) {
        self->n_held = 0;
        self->n_abandoned = 0;
        begin(self);
        greet(self);
        expect(self, SETTINGS);
        ftri_mem_fail_at(n);
        self->may_be_closed = true; /* memory may have been short for the headers already */
        send_call(self, 1, END_HEADERS, NULL);
        send_message(self, 1);
        self->may_be_closed = false;
        /* An answer, a reset, the end, or the handler has it. */
        (void)shutdown(self->fd, SHUT_WR);
        struct frame frame;
        while (read_frame(self, &frame))
            ;
        ftri_mem_fail_at(0);
        on_loop(self, expect_none_held);
        close(self->fd);
        connect_client(self);
        greet(self);
        send_call(self, 1, END_HEADERS, NULL);
        send_message(self, 1);
        wait_for(self, &self->n_held, 1);
        end(self);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_held_call_is_answered_later),
        TEST(test_the_deadline_takes_a_call_from_its_handler),
        TEST(test_a_reset_takes_a_call_from_its_handler),
        TEST(test_a_closed_connection_takes_its_calls),
        TEST(test_closing_the_server_abandons),
        TEST(test_a_drain_lets_calls_finish),
        TEST(test_a_silent_peer_is_closed),
        TEST(test_a_slow_header_block),
        TEST(test_an_idle_connection),
        TEST(test_a_slow_message),
        TEST(test_an_idle_call_of_the_handler_has_no_timeout),
        TEST(test_bytes_of_a_connection_are_bounded),
        TEST(test_unread_answers_are_bounded),
        TEST(test_an_unread_answer_is_not_kept_by_sending),
        TEST(test_memory_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
