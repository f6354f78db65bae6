/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection: the phases of http_phase, one exchange at a time. Pipelined requests stay in the
 * input, and reading pauses, until the exchange before them is answered and most of its answer
 * written. The last answer is followed by a lingering close: closing with unread input would reset
 * the connection, and the peer might never see the answer (RFC 9112 9.6). */
#include "net/http_connection.h"

#include "base/mem.h"
#include "base/time.h"
#include "net/loop.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    OUTPUT_PAUSE_BYTES = 64 * 1024, /* with more unwritten no further request is begun */
    READ_BYTES = 64 * 1024          /* input kept at most, so that it can also be peeked whole */
};
#define LINGER_NS (2 * FTRI_NS_PER_S)

static const char out_of_memory_answer[] = "HTTP/1.1 503 Service Unavailable\r\n"
                                           "Retry-After: 2\r\n"
                                           "Connection: close\r\n"
                                           "Content-Length: 0\r\n\r\n";
static const char continue_answer[] = "HTTP/1.1 100 Continue\r\n\r\n";

static uint64_t phase_timeout(const struct http_connection *self)
{
    const struct http_limits *limits = &self->server->limits;
    switch (self->phase) {
    case HTTP_PHASE_IDLE:
        return limits->idle_timeout_ns;
    case HTTP_PHASE_HEAD:
        return limits->header_timeout_ns;
    case HTTP_PHASE_BODY:
        return limits->body_timeout_ns;
    case HTTP_PHASE_LINGER:
        return LINGER_NS;
    default:
        return 0; /* the handler's time, or the stream's own write timeout */
    }
}

static void set_phase(struct http_connection *self, enum http_phase phase)
{
    if (self->phase == phase)
        return;
    self->phase = phase;
    const uint64_t timeout_ns = phase_timeout(self);
    if (timeout_ns)
        loop_timer_start(self->timer, timeout_ns);
    else
        loop_timer_stop(self->timer);
    if (phase == HTTP_PHASE_ANSWER)
        (void)event_add(self->peer_closed, NULL);
    else
        (void)event_del(self->peer_closed);
    if (phase == HTTP_PHASE_ANSWER || phase == HTTP_PHASE_FLUSH || self->peer_ended)
        (void)bufferevent_disable(self->stream, EV_READ);
    else
        (void)bufferevent_enable(self->stream, EV_READ);
}

static size_t output_len(const struct http_connection *self)
{
    return evbuffer_get_length(bufferevent_get_output(self->stream));
}

/* Refuses the request; the handler may word the answer. */
static void refuse(struct http_connection *self, int status, const char *reason)
{
    if (!self->exchange)
        self->exchange = http_exchange_new(self);
    if (!self->exchange) {
        (void)bufferevent_write(self->stream, out_of_memory_answer,
                                sizeof out_of_memory_answer - 1);
        set_phase(self, HTTP_PHASE_FLUSH);
        return;
    }
    struct http_exchange *exchange = self->exchange;
    exchange->must_close = true;
    exchange->is_refusal = true;
    if (status == 503)
        http_exchange_set_header(exchange, "Retry-After", "2");
    const struct http_handler *handler = &self->server->handler;
    if (handler->on_refusal)
        handler->on_refusal(handler->argument, exchange, status, reason);
    if (!self->exchange)
        return;
    http_exchange_send(exchange, status, "text/plain", ftri_view_of(reason, strlen(reason)));
}

static void wait_for_body(struct http_connection *self)
{
    const struct http1_head *head = &self->parser.head;
    struct evbuffer *input = bufferevent_get_input(self->stream);
    if (head->expects_continue && http1_has_body(&self->parser) && evbuffer_get_length(input) == 0)
        (void)bufferevent_write(self->stream, continue_answer, sizeof continue_answer - 1);
    self->body_begun_ns = ftri_time_monotonic_ns();
    set_phase(self, HTTP_PHASE_BODY);
}

static void on_head(struct http_connection *self)
{
    const char *reason = "out of memory";
    self->exchange = http_exchange_new(self);
    const int status = self->exchange ? http_exchange_begin(self->exchange, &reason) : 503;
    if (status) {
        refuse(self, status, reason);
        return;
    }
    const struct http_handler *handler = &self->server->handler;
    handler->on_request(handler->argument, self->exchange);
    if (!self->exchange)
        return;
    const struct http1_head *head = &self->parser.head;
    if (head->length > self->exchange->body.limit)
        refuse(self, 413, "the body is larger than the limit");
    else
        wait_for_body(self);
}

/* Until the next piece must come: a body timeout, and less when the bytes so far came slower than
 * the rate, so that bytes dripped one by one do not hold the connection. */
static uint64_t body_time_left(const struct http_connection *self)
{
    const struct http_limits *limits = &self->server->limits;
    const uint64_t earned_ns = self->exchange->n_received * FTRI_NS_PER_S / limits->body_rate;
    const uint64_t end_ns = self->body_begun_ns + limits->body_timeout_ns + earned_ns;
    const uint64_t now = ftri_time_monotonic_ns();
    const uint64_t left_ns = end_ns > now ? end_ns - now : 0;
    return left_ns < limits->body_timeout_ns ? left_ns : limits->body_timeout_ns;
}

static void on_piece(struct http_connection *self, struct ftri_view piece)
{
    const char *reason = NULL;
    const int status = http_exchange_take(self->exchange, piece, &reason);
    if (status)
        refuse(self, status, reason);
    else
        loop_timer_start(self->timer, body_time_left(self));
}

static void on_end(struct http_connection *self)
{
    const char *reason = NULL;
    const int status = http_exchange_end(self->exchange, &reason);
    if (status) {
        refuse(self, status, reason);
        return;
    }
    const struct http_handler *handler = &self->server->handler;
    handler->on_body(handler->argument, self->exchange);
    if (self->exchange)
        set_phase(self, HTTP_PHASE_ANSWER);
}

/* Acts on one event of the parser. False: it needs more input. */
static bool step(struct http_connection *self)
{
    struct evbuffer *input = bufferevent_get_input(self->stream);
    struct evbuffer_iovec front = {0};
    (void)evbuffer_peek(input, -1, NULL, &front, 1);
    struct ftri_view piece = {0};
    size_t used = 0;
    const enum http1_event event =
        http1_next(&self->parser, ftri_view_of(front.iov_base, front.iov_len), &used, &piece);
    switch (event) {
    case HTTP1_MORE:
        (void)evbuffer_drain(input, used);
        if (self->phase == HTTP_PHASE_IDLE && self->parser.state != HTTP1_STATE_START)
            set_phase(self, HTTP_PHASE_HEAD);
        return evbuffer_get_length(input) > 0;
    case HTTP1_BODY:
        on_piece(self, piece);
        (void)evbuffer_drain(input, used);
        return true;
    case HTTP1_HEAD:
        (void)evbuffer_drain(input, used);
        on_head(self);
        return true;
    case HTTP1_END:
        (void)evbuffer_drain(input, used); /* the last chunk and the trailers */
        on_end(self);
        return true;
    default:
        refuse(self, self->parser.refusal_status, self->parser.refusal);
        return true;
    }
}

static bool is_reading(const struct http_connection *self)
{
    if (self->phase == HTTP_PHASE_IDLE)
        return output_len(self) <= OUTPUT_PAUSE_BYTES;
    return self->phase == HTTP_PHASE_HEAD || self->phase == HTTP_PHASE_BODY;
}

/* Handles what is in the input, as far as it may be; may free the connection. */
static void run(struct http_connection *self)
{
    while (is_reading(self) && step(self))
        ;
    if (!self->peer_ended || !is_reading(self))
        return;
    if (output_len(self) == 0)
        http_connection_free(self);
    else
        set_phase(self, HTTP_PHASE_FLUSH);
}

static void drop_input(struct http_connection *self)
{
    struct evbuffer *input = bufferevent_get_input(self->stream);
    (void)evbuffer_drain(input, evbuffer_get_length(input));
}

static void linger(struct http_connection *self)
{
    (void)shutdown(bufferevent_getfd(self->stream), SHUT_WR);
    if (self->peer_ended) {
        http_connection_free(self);
        return;
    }
    drop_input(self);
    set_phase(self, HTTP_PHASE_LINGER);
}

static void on_readable(struct bufferevent *stream, void *argument)
{
    (void)stream;
    struct http_connection *self = argument;
    if (self->phase == HTTP_PHASE_LINGER)
        drop_input(self);
    else
        run(self);
}

static void on_written(struct bufferevent *stream, void *argument)
{
    (void)stream;
    struct http_connection *self = argument;
    if (self->phase == HTTP_PHASE_FLUSH)
        linger(self);
    else if (self->phase != HTTP_PHASE_LINGER)
        run(self);
}

static void on_stream_event(struct bufferevent *stream, short what, void *argument)
{
    (void)stream;
    struct http_connection *self = argument;
    const bool has_failed = (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) != 0;
    if (has_failed || self->phase == HTTP_PHASE_LINGER) {
        http_connection_free(self);
        return;
    }
    self->peer_ended = true;
    run(self);
}

static void on_flushed(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what;
    linger(argument);
}

static void on_peer_closed(evutil_socket_t fd, short what, void *argument)
{
    (void)fd, (void)what;
    http_connection_free(argument);
}

static void on_timeout(void *argument)
{
    struct http_connection *self = argument;
    if (self->phase != HTTP_PHASE_HEAD && self->phase != HTTP_PHASE_BODY) {
        http_connection_free(self);
        return;
    }
    refuse(self, 408,
           self->phase == HTTP_PHASE_HEAD ? "the head took too long" : "the body took too long");
}

void http_connection_answered(struct http_connection *self, bool keep)
{
    http_exchange_free(self->exchange);
    self->exchange = NULL;
    if (!keep) {
        set_phase(self, HTTP_PHASE_FLUSH);
        if (output_len(self) == 0) /* memory was short: nothing will be written */
            event_active(self->flushed, 0, 0);
        return;
    }
    /* Outside of run, the next request begins when this answer is written. */
    http1_reset(&self->parser);
    set_phase(self, HTTP_PHASE_IDLE);
}

void http_connection_drain(struct http_connection *self)
{
    if (self->phase == HTTP_PHASE_IDLE && output_len(self) > 0)
        set_phase(self, HTTP_PHASE_FLUSH);
    else if (self->phase == HTTP_PHASE_IDLE || self->phase == HTTP_PHASE_HEAD)
        http_connection_free(self);
}

static int open_room(struct http_connection *self)
{
    const struct http_limits *limits = &self->server->limits;
    const struct http1_limits parser_limits = {
        .target_bytes = limits->target_bytes,
        .field_bytes = limits->header_bytes,
        .n_fields = limits->n_headers,
    };
    self->room = ftri_alloc(http1_room_bytes(&parser_limits));
    self->fields = ftri_alloc_array(limits->n_headers, sizeof *self->fields);
    if (!self->room || !self->fields)
        return -ENOMEM;
    http1_init(&self->parser, &parser_limits, self->room, self->fields);
    return 0;
}

static int open_events(struct http_connection *self, int fd)
{
    struct event_base *base = loop_event_base(self->server->loop);
    self->timer = loop_timer_new(self->server->loop, on_timeout, self);
    self->flushed = event_new(base, -1, 0, on_flushed, self);
    self->peer_closed = event_new(base, fd, EV_CLOSED, on_peer_closed, self);
    return self->timer && self->flushed && self->peer_closed ? 0 : -ENOMEM;
}

static int start_stream(struct http_connection *self)
{
    const uint64_t timeout_us = self->server->limits.body_timeout_ns / 1000;
    const struct timeval timeout = {(time_t)(timeout_us / 1000000),
                                    (suseconds_t)(timeout_us % 1000000)};
    bufferevent_setcb(self->stream, on_readable, on_written, on_stream_event, self);
    bufferevent_setwatermark(self->stream, EV_READ, 0, READ_BYTES);
    if (bufferevent_set_max_single_read(self->stream, READ_BYTES) < 0 ||
        bufferevent_set_timeouts(self->stream, NULL, &timeout) < 0 ||
        bufferevent_enable(self->stream, EV_READ | EV_WRITE) < 0)
        return -ENOMEM;
    loop_timer_start(self->timer, self->server->limits.idle_timeout_ns);
    return 0;
}

void http_connection_open(struct http_server *server, int fd, struct peer *peer)
{
    struct http_connection *self = ftri_zalloc(sizeof *self);
    if (!self) {
        peers_leave(&server->peers, peer);
        close(fd);
        return;
    }
    self->peer = peer;
    self->server = server;
    ftri_list_append(&server->connections, &self->entry);
    server->n_connections++;
    self->stream = bufferevent_socket_new(loop_event_base(server->loop), fd, BEV_OPT_CLOSE_ON_FREE);
    if (!self->stream)
        close(fd);
    const bool is_open = self->stream && open_room(self) == 0 && open_events(self, fd) == 0 &&
                         start_stream(self) == 0;
    if (!is_open)
        http_connection_free(self);
}

static void abandon_exchange(struct http_connection *self)
{
    struct http_exchange *exchange = self->exchange;
    if (!exchange)
        return;
    self->exchange = NULL;
    if (exchange->on_abandoned)
        exchange->on_abandoned(self->server->handler.argument, exchange);
    http_exchange_free(exchange);
}

void http_connection_free(struct http_connection *self)
{
    abandon_exchange(self);
    if (self->flushed)
        event_free(self->flushed);
    if (self->peer_closed)
        event_free(self->peer_closed);
    loop_timer_free(self->timer);
    if (self->stream)
        bufferevent_free(self->stream);
    http_server_forget(self->server, self);
    ftri_free(self->room);
    ftri_free(self->fields);
    ftri_free(self);
}
