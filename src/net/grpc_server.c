/* SPDX-License-Identifier: Apache-2.0 */
#include "net/grpc_server.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "codec/zstd.h"
#include "net/grpc_connection.h"
#include "net/listener.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <unistd.h>

void grpc_limits_default(struct grpc_limits *ret_limits)
{
    *ret_limits = (struct grpc_limits){
        .header_bytes = 16 * 1024,
        .n_headers = 100,
        .message_bytes = (size_t)64 << 20,
        .connection_bytes = (size_t)128 << 20,
        .all_bytes = (size_t)256 << 20,
        .streams = 100,
        .connections = 1024,
        .connections_per_ip = 1024,
        .message_rate = 1024,
        .resets = 1000,
        .resets_per_s = 33,
        .control_frames = 1000,
        .control_frames_per_s = 100,
        .header_timeout_ns = 10 * FTRI_NS_PER_S,
        .message_timeout_ns = 30 * FTRI_NS_PER_S,
        .idle_timeout_ns = 60 * FTRI_NS_PER_S,
    };
}

static void on_accept(void *argument, int fd)
{
    struct grpc_server *self = argument;
    struct peer *peer;
    if (peers_enter(&self->peers, fd, listener_address_text(self->listener), &peer) < 0) {
        close(fd);
        return;
    }
    grpc_connection_open(self, fd, peer);
    if (self->n_connections >= self->limits.connections)
        listener_pause(self->listener);
}

static void free_parts(struct grpc_server *self)
{
    listener_close(self->listener);
    peers_deinit(&self->peers);
    nghttp2_session_callbacks_del(self->callbacks);
    nghttp2_option_del(self->session_options);
    ftri_zstd_free(self->zstd);
    ftri_free(self->input);
    ftri_free(self);
}

int grpc_server_open(struct loop *loop, const struct grpc_server_options *options,
                     struct grpc_server **ret_server, struct ftri_error *error)
{
    struct grpc_server *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "gRPC server: out of memory");
    self->loop = loop;
    self->limits = options->limits;
    self->handler = options->handler;
    self->descriptors = options->descriptors;
    ftri_list_init(&self->connections);
    peers_init(&self->peers, self->limits.connections, self->limits.connections_per_ip);
    self->input = ftri_alloc(GRPC_INPUT_BYTES);
    const struct listener_options listening = {
        options->address, options->access, on_accept, self, options->is_shared, options->is_first};
    int r = self->input ? grpc_session_prepare(self) : -ENOMEM;
    if (r < 0)
        (void)ftri_error_set(error, r, "gRPC server: out of memory");
    else
        r = listener_open(loop, &listening, &self->listener, error);
    if (r < 0) {
        free_parts(self);
        return r;
    }
    *ret_server = self;
    return 0;
}

const char *grpc_server_address(const struct grpc_server *self)
{
    return listener_address_text(self->listener);
}

void grpc_server_drain(struct grpc_server *self)
{
    self->is_draining = true;
    listener_pause(self->listener);
    struct ftri_list *entry = self->connections.next;
    while (entry != &self->connections) {
        struct ftri_list *next = entry->next;
        grpc_connection_drain(FTRI_CONTAINER(entry, struct grpc_connection, entry));
        entry = next;
    }
}

void grpc_server_forget(struct grpc_server *self, struct grpc_connection *connection)
{
    ftri_list_unlink(&connection->entry);
    peers_leave(&self->peers, connection->peer);
    self->n_connections--;
    if (!self->is_draining)
        listener_resume(self->listener);
}

void grpc_server_close(struct grpc_server *self)
{
    if (!self)
        return;
    self->is_draining = true;
    while (!ftri_list_is_empty(&self->connections))
        grpc_connection_free(FTRI_CONTAINER(self->connections.next, struct grpc_connection, entry));
    free_parts(self);
}
