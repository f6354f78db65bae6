/* SPDX-License-Identifier: Apache-2.0
 *
 * OTLP over gRPC into the write-ahead log and the store: several calls on one connection, which a
 * client makes anew when it broke. Framing and header compression are nghttp2's own client. */
#include "collector.h"
#include "spans.h"
#include "wire.h"

#include "codec/gzip.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PREFIX_BYTES = 5, OK = 0, UNAVAILABLE = 14, NO_STATUS = -1 };

/* Messages with their prefixes: one byte "packed", four of length. */
static struct ftri_bytes good[2 * COLLECTOR_REQUESTS];
static const uint8_t bad[] = {0, 0, 0, 0, 2, 0x0a, 0x7f}; /* a field longer than the message */

struct call {
    struct ftri_view message;
    size_t n_sent;
    int32_t stream;
    long status;
    bool is_closed;
};

struct connection {
    int fd;
    nghttp2_session *session;
};

static struct ftri_bytes framed(struct ftri_bytes plain, bool is_packed)
{
    struct ftri_bytes out, body;
    ftri_bytes_init(&out, 1 << 20);
    ftri_bytes_init(&body, 1 << 20);
    EXPECT(is_packed ? ftri_gzip(ftri_bytes_view(&plain), 6, &body) == 0
                     : ftri_bytes_append(&body, plain.data, plain.len) == 0);
    const uint8_t prefix[PREFIX_BYTES] = {is_packed, 0, (uint8_t)(body.len >> 16),
                                          (uint8_t)(body.len >> 8), (uint8_t)body.len};
    EXPECT(ftri_bytes_append(&out, prefix, sizeof prefix) == 0);
    EXPECT(ftri_bytes_append(&out, body.data, body.len) == 0);
    ftri_bytes_deinit(&plain);
    ftri_bytes_deinit(&body);
    return out;
}

static void prepare(void)
{
    for (uint8_t i = 0; i < FTRI_COUNT(good); i++)
        good[i] = framed(spans_protobuf((uint8_t)(i + 1)), i % 2 == 1);
}

static void clear(void)
{
    for (size_t i = 0; i < FTRI_COUNT(good); i++)
        ftri_bytes_deinit(&good[i]);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *argument)
{
    (void)argument, (void)flags;
    struct call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    const nghttp2_vec key = nghttp2_rcbuf_get_buf(name), text = nghttp2_rcbuf_get_buf(value);
    if (call && key.len == 11 && memcmp(key.base, "grpc-status", 11) == 0)
        call->status = strtol((const char *)text.base, NULL, 10); /* ended by NUL */
    return 0;
}

static int on_close(nghttp2_session *session, int32_t stream, uint32_t error, void *argument)
{
    (void)error, (void)argument;
    struct call *call = nghttp2_session_get_stream_user_data(session, stream);
    if (call)
        call->is_closed = true;
    return 0;
}

static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *argument)
{
    (void)session, (void)stream, (void)argument;
    struct call *call = source->ptr;
    const size_t n = ftri_size_min(size, call->message.len - call->n_sent);
    memcpy(out, call->message.data + call->n_sent, n);
    call->n_sent += n;
    if (call->n_sent == call->message.len)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static bool open_connection(struct connection *self, uint16_t port)
{
    self->fd = wire_connect(port);
    if (self->fd < 0)
        return false;
    nghttp2_session_callbacks *callbacks;
    EXPECT(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    EXPECT(nghttp2_session_client_new(&self->session, callbacks, NULL) == 0);
    nghttp2_session_callbacks_del(callbacks);
    EXPECT(nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    return true;
}

static void close_connection(struct connection *self)
{
    if (self->fd < 0)
        return;
    nghttp2_session_del(self->session);
    close(self->fd);
    self->fd = -1;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static bool write_all(struct connection *self)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(self->session, &bytes)) > 0)
        if (send(self->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            return false;
    return n == 0;
}

/* False: the connection is of no use any more. Silence is a hang. */
static bool exchange(struct connection *self, const struct call *call)
{
    uint8_t input[4096];
    while (!call->is_closed) {
        if (!write_all(self))
            return false;
        const ssize_t n = recv(self->fd, input, sizeof input, 0);
        EXPECT(n >= 0 || errno != EAGAIN);
        if (n <= 0 || nghttp2_session_mem_recv(self->session, input, (size_t)n) != n)
            return false;
    }
    return true;
}

static enum verdict send_one(struct connection *self, uint16_t port, struct ftri_view message)
{
    if (self->fd < 0 && !open_connection(self, port))
        return VERDICT_NONE;
    struct call call = {.message = message, .status = NO_STATUS};
    const nghttp2_nv fields[] = {
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        field(":authority", "localhost"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
        field("grpc-encoding", "gzip"),
    };
    const nghttp2_data_provider provider = {.source.ptr = &call, .read_callback = read_message};
    call.stream =
        nghttp2_submit_request(self->session, NULL, fields, FTRI_COUNT(fields), &provider, &call);
    if (call.stream < 0 || !exchange(self, &call))
        close_connection(self);
    return call.status == OK            ? VERDICT_TAKEN
           : call.status == UNAVAILABLE ? VERDICT_LATER
           : call.status == NO_STATUS   ? VERDICT_NONE
                                        : VERDICT_REFUSED;
}

static void send_all(uint16_t port, uint8_t first, struct collector_verdicts *ret_verdicts)
{
    struct connection connection = {.fd = -1};
    for (size_t i = 0; i < COLLECTOR_REQUESTS; i++)
        ret_verdicts->good[i] = send_one(&connection, port, ftri_bytes_view(&good[first - 1 + i]));
    ret_verdicts->bad = send_one(&connection, port, ftri_view_of(bad, sizeof bad));
    close_connection(&connection);
}

void torture_run(void)
{
    static const struct collector_client client = {
        .options = "grpc: '127.0.0.1:0', http: off",
        .store = "memory",
        .prepare = prepare,
        .clear = clear,
        .send = send_all,
    };
    collector_run(&client);
}
