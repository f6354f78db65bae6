/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call answers, in frames: HEADERS, DATA from `out`, trailers with the status; or all of it
 * in one HEADERS when there is only a status (Trailers-Only). Answers that are not gRPC's end with
 * their DATA. */
#include "net/grpc_connection.h"

#include "base/time.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <string.h>

enum { STATUS_FIELDS = 4, HEADER_FIELDS = 3 };

static nghttp2_nv field(const char *name, const void *value, size_t len)
{
    /* nghttp2 copies both and changes neither. */
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), len,
                        NGHTTP2_NV_FLAG_NONE};
}

static nghttp2_nv text_field(const char *name, const char *value)
{
    return field(name, value, strlen(value));
}

/* number: lives as long as the fields. */
static size_t put_status(const struct grpc_call *self, nghttp2_nv *fields, char number[4])
{
    size_t n = 0;
    snprintf(number, 4, "%u", (unsigned)self->status % 100);
    fields[n++] = text_field("grpc-status", number);
    if (self->status_text.len)
        fields[n++] = field("grpc-message", self->status_text.data, self->status_text.len);
    if (self->details.len)
        fields[n++] = field("grpc-status-details-bin", self->details.data, self->details.len);
    if (self->retry_info.len) /* where OpenTelemetry's exporter for Python looks */
        fields[n++] =
            field("google.rpc.retryinfo-bin", self->retry_info.data, self->retry_info.len);
    return n;
}

static ssize_t end_data(struct grpc_call *self, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (self->is_plain)
        return 0;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_nv fields[STATUS_FIELDS];
    char number[4];
    const size_t n = put_status(self, fields, number);
    const int r = nghttp2_submit_trailer(self->connection->session, self->stream_id, fields, n);
    return r == 0 ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static ssize_t read_out(nghttp2_session *session, int32_t stream_id, uint8_t *room, size_t len,
                        uint32_t *flags, nghttp2_data_source *source, void *argument)
{
    (void)session, (void)stream_id, (void)argument;
    struct grpc_call *self = source->ptr;
    const size_t n = ftri_size_min(len, self->out.len - self->n_out_sent);
    if (n)
        memcpy(room, self->out.data + self->n_out_sent, n);
    self->n_out_sent += n;
    self->progress_ns = ftri_time_monotonic_ns();
    if (self->n_out_sent < self->out.len)
        return (ssize_t)n;
    ftri_bytes_reset(&self->out);
    self->n_out_sent = 0;
    if (!self->is_finished)
        return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
    const ssize_t r = end_data(self, flags);
    return r < 0 ? r : (ssize_t)n;
}

static int submit_headers(struct grpc_call *self, unsigned http_status)
{
    nghttp2_nv fields[HEADER_FIELDS + STATUS_FIELDS];
    char status[4];
    char number[4];
    snprintf(status, sizeof status, "%u", http_status % 1000);
    fields[0] = text_field(":status", status);
    fields[1] = text_field("content-type",
                           self->is_plain ? "text/plain; charset=utf-8" : "application/grpc");
    size_t n = 2;
    if (!self->is_plain)
        fields[n++] = text_field("grpc-accept-encoding", "identity,gzip,deflate,zstd");
    const bool is_status_only = !self->is_plain && self->is_finished && self->out.len == 0;
    if (is_status_only)
        n += put_status(self, fields + n, number);
    const nghttp2_data_provider provider = {{.ptr = self}, read_out};
    return nghttp2_submit_response(self->connection->session, self->stream_id, fields, n,
                                   is_status_only ? NULL : &provider);
}

void grpc_answer_submit(struct grpc_call *self, unsigned http_status)
{
    nghttp2_session *session = self->connection->session;
    int r = 0;
    if (!self->has_answer)
        r = submit_headers(self, http_status);
    else
        (void)nghttp2_session_resume_data(session, self->stream_id); /* may be under way */
    self->has_answer = true;
    if (r != 0)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, self->stream_id,
                                        NGHTTP2_INTERNAL_ERROR);
    grpc_connection_wake(self->connection);
}
