/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_server.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/http_connection.h"
#include "net/listener.h"

#include <errno.h>
#include <unistd.h>

void http_limits_default(struct http_limits *ret_limits)
{
    *ret_limits = (struct http_limits){
        .header_bytes = 16 * 1024,
        .n_headers = 100,
        .target_bytes = 8 * 1024,
        .body_bytes = (size_t)64 << 20,
        .all_bodies_bytes = (size_t)256 << 20,
        .connections = 1024,
        .connections_per_ip = 1024,
        .body_rate = 1024,
        .header_timeout_ns = 10 * FTRI_NS_PER_S,
        .body_timeout_ns = 30 * FTRI_NS_PER_S,
        .idle_timeout_ns = 60 * FTRI_NS_PER_S,
    };
}

static bool is_full(const struct http_server *self)
{
    return self->n_connections >= self->limits.connections;
}

static void on_accept(void *argument, int fd)
{
    struct http_server *self = argument;
    struct peer *peer;
    if (peers_enter(&self->peers, fd, listener_address_text(self->listener), &peer) < 0) {
        close(fd);
        return;
    }
    http_connection_open(self, fd, peer);
    if (is_full(self))
        listener_pause(self->listener);
}

int http_server_open(struct loop *loop, const struct http_server_options *options,
                     struct http_server **ret_server, struct ftri_error *error)
{
    struct http_server *self = ftri_zalloc(sizeof *self);
    if (!self)
        return ftri_error_set(error, -ENOMEM, "HTTP server: out of memory");
    self->loop = loop;
    self->limits = options->limits;
    self->handler = options->handler;
    ftri_list_init(&self->connections);
    peers_init(&self->peers, self->limits.connections, self->limits.connections_per_ip);
    const struct listener_options listening = {
        options->address, options->access, on_accept, self, options->is_shared, options->is_first};
    const int r = listener_open(loop, &listening, &self->listener, error);
    if (r < 0) {
        ftri_free(self);
        return r;
    }
    *ret_server = self;
    return 0;
}

const char *http_server_address(const struct http_server *self)
{
    return listener_address_text(self->listener);
}

size_t http_server_n_connections(const struct http_server *self)
{
    return self->n_connections;
}

void http_server_drain(struct http_server *self)
{
    self->is_draining = true;
    listener_pause(self->listener);
    struct ftri_list *entry = self->connections.next;
    while (entry != &self->connections) {
        struct ftri_list *next = entry->next;
        http_connection_drain(FTRI_CONTAINER(entry, struct http_connection, entry));
        entry = next;
    }
}

void http_server_forget(struct http_server *self, struct http_connection *connection)
{
    ftri_list_unlink(&connection->entry);
    peers_leave(&self->peers, connection->peer);
    self->n_connections--;
    if (!self->is_draining)
        listener_resume(self->listener);
}

void http_server_close(struct http_server *self)
{
    if (!self)
        return;
    self->is_draining = true;
    while (!ftri_list_is_empty(&self->connections))
        http_connection_free(FTRI_CONTAINER(self->connections.next, struct http_connection, entry));
    listener_close(self->listener);
    peers_deinit(&self->peers);
    ftri_free(self);
}
