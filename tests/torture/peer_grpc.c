/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_grpc.h"

#include "torture.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { EMPTY_MESSAGE = 5, STATUS_BYTES = 4 };

struct peer_grpc {
    int fd;
    char status[STATUS_BYTES];
    nghttp2_session *session;
};

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* The message, and the trailers behind it. */
static ssize_t read_message(nghttp2_session *session, int32_t stream, uint8_t *out, size_t size,
                            uint32_t *flags, nghttp2_data_source *source, void *argument)
{
    (void)source;
    const struct peer_grpc *self = argument;
    const nghttp2_nv trailer = field("grpc-status", self->status);
    EXPECT(size >= EMPTY_MESSAGE);
    memset(out, 0, EMPTY_MESSAGE);
    *flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    EXPECT(nghttp2_submit_trailer(session, stream, &trailer, 1) == 0);
    return EMPTY_MESSAGE;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *argument)
{
    const nghttp2_nv head[] = {field(":status", "200"), field("content-type", "application/grpc")};
    const nghttp2_data_provider provider = {.read_callback = read_message};
    (void)argument;
    if (frame->hd.type != NGHTTP2_DATA || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    return nghttp2_submit_response(session, frame->hd.stream_id, head, FTRI_COUNT(head), &provider);
}

static bool flush(struct peer_grpc *self)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(self->session, &bytes)) > 0)
        if (send(self->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            return false;
    return n == 0;
}

struct peer_grpc *peer_grpc_new(int fd, int status)
{
    struct peer_grpc *self = calloc(1, sizeof *self);
    nghttp2_session_callbacks *callbacks;
    EXPECT(self && nghttp2_session_callbacks_new(&callbacks) == 0);
    self->fd = fd;
    snprintf(self->status, sizeof self->status, "%d", status);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    EXPECT(nghttp2_session_server_new(&self->session, callbacks, self) == 0);
    nghttp2_session_callbacks_del(callbacks);
    EXPECT(nghttp2_submit_settings(self->session, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    (void)flush(self);
    return self;
}

void peer_grpc_free(struct peer_grpc *self)
{
    if (!self)
        return;
    nghttp2_session_del(self->session);
    free(self);
}

bool peer_grpc_take(struct peer_grpc *self, const void *bytes, size_t len)
{
    const ssize_t n = nghttp2_session_mem_recv(self->session, bytes, len);
    return n == (ssize_t)len && flush(self) &&
           (nghttp2_session_want_read(self->session) || nghttp2_session_want_write(self->session));
}
