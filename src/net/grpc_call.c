/* SPDX-License-Identifier: Apache-2.0
 *
 * One call: its headers are judged when they are complete, its message is collected within the
 * limits of its connection, and whatever happens it is closed once. */
#include "net/grpc_connection.h"

#include "base/mem.h"
#include "base/time.h"
#include "codec/base64.h"
#include "codec/zstd.h"
#include "net/loop.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

enum {
    STATUS_TEXT_MOST = 2048, /* grpc-message: a header that every client takes */
    ANSWER_MOST = 4 << 20,   /* unsent messages of a call */
    DETAILS_MOST = 2048
};
#define RETRY_NS (2 * FTRI_NS_PER_S)

/* ---- time ---- */

/* When bytes must have moved next. A request also has to keep to the rate, so that bytes dripped
 * one by one do not hold it open. */
static uint64_t stuck_at(const struct grpc_call *self)
{
    const struct grpc_limits *limits = &self->connection->server->limits;
    const uint64_t at = self->progress_ns + limits->message_timeout_ns;
    const uint64_t earned_ns = self->n_received * FTRI_NS_PER_S / limits->message_rate;
    const uint64_t end = self->begun_ns + limits->message_timeout_ns + earned_ns;
    return self->is_finished || at < end ? at : end;
}

static void start_timer(struct grpc_call *self)
{
    const uint64_t now = ftri_time_monotonic_ns();
    uint64_t at = self->deadline_ns;
    if (!self->peer_ended || self->is_finished)
        at = stuck_at(self) < at ? stuck_at(self) : at;
    if (at == UINT64_MAX)
        loop_timer_stop(self->timer);
    else
        loop_timer_start(self->timer, at > now ? at - now : 0);
}

/* The handler does not answer this call any more. */
static void abandon(struct grpc_call *self)
{
    const struct grpc_handler *handler = &self->connection->server->handler;
    if (!self->is_held)
        return;
    self->is_held = false;
    handler->on_abandoned(handler->argument, self);
}

static void on_timeout(void *argument)
{
    struct grpc_call *self = argument;
    struct grpc_connection *connection = self->connection;
    const uint64_t now = ftri_time_monotonic_ns();
    const bool is_late = now >= self->deadline_ns;
    const bool may_stand = self->peer_ended && !self->is_finished;
    const bool is_stuck = now >= stuck_at(self);
    if (self->is_finished && is_stuck) { /* the peer does not take the answer */
        (void)nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, self->stream_id,
                                        NGHTTP2_CANCEL);
        grpc_connection_wake(connection);
        return;
    }
    if (is_late || (is_stuck && !may_stand)) {
        abandon(self);
        grpc_call_close(self, GRPC_DEADLINE_EXCEEDED,
                        is_late ? FTR_STR("the deadline has passed")
                                : FTR_STR("the message took too long"));
        return;
    }
    start_timer(self);
}

/* ---- life ---- */

void grpc_call_account(struct grpc_call *self)
{
    struct grpc_connection *connection = self->connection;
    const size_t held = self->fields.capacity + self->reader.message.capacity +
                        self->message.capacity + self->out.capacity;
    connection->bytes += held - self->held_bytes;
    connection->server->bytes += held - self->held_bytes;
    self->held_bytes = held;
}

static void release_request(struct grpc_call *self)
{
    grpc_reader_deinit(&self->reader);
    ftri_bytes_deinit(&self->message);
    grpc_call_account(self);
}

struct grpc_call *grpc_call_new(struct grpc_connection *connection, int32_t stream_id)
{
    const struct grpc_limits *limits = &connection->server->limits;
    struct grpc_call *self = ftri_zalloc(sizeof *self);
    if (!self)
        return NULL;
    self->timer = loop_timer_new(connection->server->loop, on_timeout, self);
    if (!self->timer) {
        ftri_free(self);
        return NULL;
    }
    self->connection = connection;
    self->stream_id = stream_id;
    self->deadline_ns = UINT64_MAX;
    self->begun_ns = self->progress_ns = ftri_time_monotonic_ns();
    ftri_bytes_init(&self->fields, limits->header_bytes);
    grpc_reader_init(&self->reader, limits->message_bytes);
    ftri_bytes_init(&self->message, limits->message_bytes);
    ftri_bytes_init(&self->status_text, STATUS_TEXT_MOST);
    ftri_bytes_init(&self->details, DETAILS_MOST);
    ftri_bytes_init(&self->retry_info, DETAILS_MOST);
    ftri_bytes_init(&self->out, ANSWER_MOST);
    ftri_list_append(&connection->calls, &self->entry);
    connection->n_calls++;
    return self;
}

void grpc_call_free(struct grpc_call *self)
{
    struct grpc_connection *connection = self->connection;
    abandon(self);
    release_request(self);
    ftri_bytes_deinit(&self->fields);
    ftri_bytes_deinit(&self->out);
    grpc_call_account(self);
    ftri_bytes_deinit(&self->status_text);
    ftri_bytes_deinit(&self->details);
    ftri_bytes_deinit(&self->retry_info);
    loop_timer_free(self->timer);
    ftri_list_unlink(&self->entry);
    connection->n_calls--;
    grpc_connection_update_phase(connection);
    ftri_free(self);
}

void grpc_call_begin(struct grpc_call *self)
{
    grpc_headers_judge(self);
    start_timer(self);
}

/* ---- message ---- */

static int unpack_zlib(struct grpc_call *self, struct ftri_view packed)
{
    struct ftri_decoder *decoder = ftri_decoder_new(self->encoding);
    int r = decoder ? ftri_decoder_feed(decoder, packed, &self->message) : -ENOMEM;
    if (r == 0 && !ftri_decoder_is_complete(decoder))
        r = -EBADMSG;
    ftri_decoder_free(decoder);
    return r;
}

/* The server's one context: making another costs more than a small message. */
static int unpack_zstd(struct grpc_call *self, struct ftri_view packed)
{
    struct grpc_server *server = self->connection->server;
    if (!server->zstd)
        server->zstd = ftri_zstd_new(1);
    return server->zstd ? ftri_zstd_decompress(server->zstd, packed, &self->message) : -ENOMEM;
}

/* The reader's message becomes the call's. */
static int unpack(struct grpc_call *self)
{
    struct ftri_bytes *packed = &self->reader.message;
    if (!self->reader.is_compressed) {
        const struct ftri_bytes moved = *packed;
        *packed = self->message;
        self->message = moved;
        return 0;
    }
    ftri_bytes_reset(&self->message);
    const int r = self->encoding == FTRI_CODING_ZSTD ? unpack_zstd(self, ftri_bytes_view(packed))
                                                     : unpack_zlib(self, ftri_bytes_view(packed));
    ftri_bytes_reset(packed);
    return r;
}

static void refuse_message(struct grpc_call *self, int error, const char *bad)
{
    if (error == -EMSGSIZE)
        grpc_call_refuse(self, GRPC_RESOURCE_EXHAUSTED, "the message is larger than the limit");
    else if (error == -EBADMSG)
        grpc_call_refuse(self, GRPC_INTERNAL, bad);
    else
        grpc_call_refuse_retryably(self, "memory is short", RETRY_NS);
}

/* The reader has a whole message. */
static void on_message(struct grpc_call *self)
{
    if (self->has_message && self->method != GRPC_REFLECTION) {
        grpc_call_refuse(self, GRPC_INTERNAL, "the call carries more than one message");
        return;
    }
    if (self->reader.is_compressed && self->encoding == FTRI_CODING_IDENTITY) {
        grpc_call_refuse(self, GRPC_INTERNAL, "a compressed message without grpc-encoding");
        return;
    }
    const int r = unpack(self);
    self->has_message = true;
    if (r < 0)
        refuse_message(self, r,
                       "the message is not what grpc-encoding says, or its window is too large");
    else if (self->method == GRPC_REFLECTION)
        grpc_builtin_message(self);
    grpc_call_account(self);
}

static bool is_over_limits(const struct grpc_call *self)
{
    const struct grpc_connection *connection = self->connection;
    const struct grpc_server *server = connection->server;
    return connection->bytes > server->limits.connection_bytes ||
           server->bytes > server->limits.all_bytes;
}

void grpc_call_take(struct grpc_call *self, struct ftri_view piece)
{
    if (self->is_finished)
        return; /* only reading the answer is progress now */
    self->progress_ns = ftri_time_monotonic_ns();
    self->n_received += piece.len;
    while (piece.len > 0 && !self->is_finished) {
        const int r = grpc_reader_take(&self->reader, &piece);
        grpc_call_account(self);
        if (r < 0)
            refuse_message(self, r, "a message begins with a byte that is neither 0 nor 1");
        else if (is_over_limits(self))
            grpc_call_refuse_retryably(self, "too many bytes are on their way", RETRY_NS);
        else if (r == GRPC_READER_MESSAGE)
            on_message(self);
    }
}

void grpc_call_end(struct grpc_call *self)
{
    const struct grpc_handler *handler = &self->connection->server->handler;
    if (self->is_finished)
        return;
    start_timer(self);
    if (grpc_reader_is_inside(&self->reader)) {
        grpc_call_refuse(self, GRPC_INTERNAL, "the message is cut off");
    } else if (self->method == GRPC_REFLECTION) {
        grpc_call_close(self, GRPC_OK, (ftr_str){0});
    } else if (!self->has_message) {
        grpc_call_refuse(self, GRPC_INTERNAL, "the call carries no message");
    } else if (self->method != GRPC_OF_HANDLER) {
        grpc_builtin_message(self);
    } else {
        grpc_connection_earn(self->connection);
        self->is_held = true;
        handler->on_message(handler->argument, self);
    }
}

struct ftri_view grpc_call_message(const struct grpc_call *self)
{
    return ftri_bytes_view(&self->message);
}

struct ftri_bytes grpc_call_take_message(struct grpc_call *self)
{
    const struct ftri_bytes message = self->message;
    self->message = (struct ftri_bytes){0};
    grpc_call_account(self);
    return message;
}

void grpc_call_set_data(struct grpc_call *self, void *data)
{
    self->data = data;
}

void *grpc_call_data(const struct grpc_call *self)
{
    return self->data;
}

/* ---- answer ---- */

static void finish(struct grpc_call *self, unsigned http_status)
{
    self->is_finished = true;
    self->is_held = false;
    self->progress_ns = ftri_time_monotonic_ns();
    self->deadline_ns = UINT64_MAX; /* it was for the answer */
    release_request(self);
    grpc_answer_submit(self, http_status);
    start_timer(self);
}

void grpc_call_send(struct grpc_call *self, struct ftri_view message)
{
    const int r = grpc_put_message(&self->out, message);
    grpc_call_account(self);
    self->progress_ns = ftri_time_monotonic_ns();
    if (r < 0)
        grpc_call_close(self, GRPC_RESOURCE_EXHAUSTED, FTR_STR("the answers are not read"));
    else
        grpc_answer_submit(self, 200);
}

/* A text that does not fit is cut, between characters of its encoded form or not at all. */
void grpc_call_close(struct grpc_call *self, enum grpc_status status, ftr_str message)
{
    self->status = status;
    ftri_bytes_reset(&self->status_text);
    message.len = ftri_size_min(message.len, STATUS_TEXT_MOST / 3);
    if (grpc_percent_encode(message, &self->status_text) < 0)
        ftri_bytes_reset(&self->status_text);
    finish(self, 200);
}

void grpc_call_close_plain(struct grpc_call *self, unsigned http_status, const char *text)
{
    self->is_plain = true;
    if (ftri_bytes_append_str(&self->out, ftr_str_from(text)) < 0)
        ftri_bytes_reset(&self->out);
    finish(self, http_status);
}

void grpc_call_finish(struct grpc_call *self, struct ftri_view message)
{
    if (grpc_put_message(&self->out, message) < 0)
        grpc_call_refuse_retryably(self, "memory is short", RETRY_NS);
    else
        grpc_call_close(self, GRPC_OK, (ftr_str){0});
}

void grpc_call_refuse(struct grpc_call *self, enum grpc_status status, const char *message)
{
    if (!self->has_answer)
        ftri_bytes_reset(&self->out);
    grpc_call_close(self, status, ftr_str_from(message));
}

static int put_retry_delay(struct grpc_call *self, const char *message, uint64_t delay_ns)
{
    struct ftri_bytes bytes FTRI_CLEANUP(ftri_bytes_deinit);
    ftri_bytes_init(&bytes, DETAILS_MOST / 2);
    int r = grpc_put_retry_status(&bytes, GRPC_UNAVAILABLE, ftr_str_from(message), delay_ns);
    if (r == 0)
        r = ftri_base64_encode(ftri_bytes_view(&bytes), &self->details);
    ftri_bytes_reset(&bytes);
    if (r == 0)
        r = grpc_put_retry_info(&bytes, delay_ns);
    return r < 0 ? r : ftri_base64_encode(ftri_bytes_view(&bytes), &self->retry_info);
}

void grpc_call_refuse_retryably(struct grpc_call *self, const char *message, uint64_t delay_ns)
{
    if (put_retry_delay(self, message, delay_ns) < 0) {
        ftri_bytes_reset(&self->details);
        ftri_bytes_reset(&self->retry_info);
    }
    grpc_call_refuse(self, GRPC_UNAVAILABLE, message);
}
