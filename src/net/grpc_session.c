/* SPDX-License-Identifier: Apache-2.0
 *
 * nghttp2's callbacks: from frames to calls. nghttp2 checks what HTTP/2 itself demands (RFC 9113),
 * also of the header fields of a request, and answers violations on its own; it borrows our
 * allocator. */
#include "net/grpc_connection.h"

#include "base/mem.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>

enum { STREAM_WINDOW_BYTES = 1 << 20, CONNECTION_WINDOW_BYTES = 4 << 20 };

static void *allocate(size_t size, void *argument)
{
    (void)argument;
    return ftri_alloc(size);
}

static void release(void *block, void *argument)
{
    (void)argument;
    ftri_free(block);
}

static void *allocate_array(size_t n, size_t size, void *argument)
{
    (void)argument;
    return ftri_alloc_array(n, size);
}

static void *reallocate(void *block, size_t size, void *argument)
{
    (void)argument;
    return ftri_realloc(block, size);
}

static struct grpc_call *call_of(nghttp2_session *session, int32_t stream_id)
{
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

static bool is_request(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

/* nghttp2 reads over frames of streams that have ended or were passed by. */
static bool is_passed(nghttp2_session *session, int32_t stream_id)
{
    return stream_id <= nghttp2_session_get_last_proc_stream_id(session) &&
           !call_of(session, stream_id);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *header, void *argument)
{
    const bool is_empty = header->type == NGHTTP2_DATA && header->length == 0 &&
                          !(header->flags & NGHTTP2_FLAG_END_STREAM);
    grpc_connection_spend(argument, header->type,
                          is_empty || is_passed(session, header->stream_id));
    return 0;
}

/* nghttp2 drops DATA of such streams without a callback, and gives its window back. */
void grpc_session_scan(struct grpc_connection *self, struct ftri_view input)
{
    struct grpc_frame_head head;
    while (grpc_scanner_next(&self->scanner, &input, &head))
        if (head.type == NGHTTP2_DATA && is_passed(self->session, head.stream_id))
            grpc_connection_spend(self, NGHTTP2_DATA, true);
}

/* True for DATA that is all padding, which shows only at its end. */
static bool is_padding(const nghttp2_frame *frame)
{
    return frame->hd.type == NGHTTP2_DATA && frame->hd.length > 0 &&
           frame->hd.length == frame->data.padlen && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    struct grpc_connection *self = argument;
    self->is_inside_headers = true;
    grpc_connection_update_phase(self);
    if (!is_request(frame))
        return 0;
    struct grpc_call *call = grpc_call_new(self, frame->hd.stream_id);
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    (void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static ftr_str text_of(nghttp2_rcbuf *buffer)
{
    const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
    return (ftr_str){(const char *)bytes.base, bytes.len};
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *argument)
{
    (void)flags, (void)argument;
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    if (!call || !is_request(frame))
        return 0;
    const int r = grpc_call_add_field(call, text_of(name), text_of(value));
    if (r == 0)
        return 0;
    return r == -EMSGSIZE ? NGHTTP2_ERR_CALLBACK_FAILURE : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    struct grpc_connection *self = argument;
    if (is_padding(frame))
        grpc_connection_spend(self, NGHTTP2_DATA, true);
    if (frame->hd.type == NGHTTP2_SETTINGS)
        self->has_settings = true;
    if (frame->hd.type == NGHTTP2_HEADERS)
        self->is_inside_headers = false;
    grpc_connection_update_phase(self);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct grpc_call *call = call_of(session, frame->hd.stream_id);
    if (!call)
        return 0;
    const bool is_end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (is_end)
        call->peer_ended = true;
    if (is_request(frame))
        grpc_call_begin(call);
    if (is_end)
        grpc_call_end(call);
    return 0;
}

/* A frame that the peer may not send here: nghttp2 answers it, and it costs as a reset does. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *argument)
{
    (void)session, (void)error;
    struct grpc_connection *self = argument;
    if (frame->hd.type == NGHTTP2_HEADERS)
        self->is_inside_headers = false;
    grpc_connection_update_phase(self);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *argument)
{
    (void)flags, (void)argument;
    struct grpc_call *call = call_of(session, stream_id);
    if (call)
        grpc_call_take(call, ftri_view_of(data, len));
    return 0;
}

/* Frames of unknown types are dropped (RFC 9113 5.5). Asking for them makes nghttp2 report that
 * they begin, so that they are counted. */
static int on_unknown_frame(nghttp2_session *session, void **payload,
                            const nghttp2_frame_hd *header, void *argument)
{
    (void)session, (void)payload, (void)header, (void)argument;
    return NGHTTP2_ERR_CANCEL;
}

static int on_unknown_data(nghttp2_session *session, const nghttp2_frame_hd *header,
                           const uint8_t *data, size_t len, void *argument)
{
    (void)session, (void)header, (void)data, (void)len, (void)argument;
    return NGHTTP2_ERR_CANCEL;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        grpc_connection_spend_reset(argument);
    const bool is_last = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                         (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    const struct grpc_call *call = is_last ? call_of(session, frame->hd.stream_id) : NULL;
    /* Answered before the request was complete: what is left of it is not wanted. */
    if (call && !call->peer_ended)
        (void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                        NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error,
                           void *argument)
{
    (void)error, (void)argument;
    struct grpc_call *call = call_of(session, stream_id);
    if (call)
        grpc_call_free(call);
    return 0;
}

int grpc_session_prepare(struct grpc_server *server)
{
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_option_new(&server->session_options) != 0)
        return -ENOMEM;
    /* nghttp2's own limit of resets stands behind ours, which says why it closes; it is refilled
     * only once a second. */
    nghttp2_option_set_stream_reset_rate_limit(
        server->session_options, 2 * (server->limits.resets + server->limits.resets_per_s),
        2 * server->limits.resets_per_s);
    nghttp2_option_set_no_closed_streams(server->session_options, 1);
    for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
        nghttp2_option_set_user_recv_extension_type(server->session_options, (uint8_t)type);
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return -ENOMEM;
    server->callbacks = callbacks;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unknown_frame);
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(callbacks, on_unknown_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    return 0;
}

int grpc_session_open(struct grpc_connection *connection)
{
    const struct grpc_server *server = connection->server;
    nghttp2_mem memory = {NULL, allocate, release, allocate_array, reallocate};
    if (nghttp2_session_server_new3(&connection->session, server->callbacks, connection,
                                    server->session_options, &memory) != 0)
        return -ENOMEM;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)server->limits.streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)server->limits.header_bytes},
    };
    int r = nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
                                    FTRI_COUNT(settings));
    if (r == 0)
        r = nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
                                                  CONNECTION_WINDOW_BYTES);
    return r == 0 ? 0 : -ENOMEM;
}
