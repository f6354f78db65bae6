/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzz target: a whole connection of the gRPC server, frames and all. The input is what the peer
 * sends after the preface, until it sends no more. Whatever it is, the connection ends, every call
 * ended for the handler once, and nothing stays accounted for. */
#include "base/error.h"
#include "base/time.h"
#include "net/grpc_connection.h"
#include "net/loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURNS_MOST = 2000, PIECE_BYTES = 32 * 1024 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct session {
    struct loop *loop;
    struct loop_timer *timer;
    struct grpc_server *server;
    struct ftri_view left; /* to be sent */
    int peer;
    int n_turns;
    size_t n_held;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
    if (!condition)
        abort();
}

static bool on_call(void *argument, struct grpc_call *call)
{
    (void)argument;
    return grpc_call_path(call).len > 1;
}

/* Every second message is answered at once, the others never. */
static void on_message(void *argument, struct grpc_call *call)
{
    struct session *self = argument;
    const struct ftri_view message = grpc_call_message(call);
    if (message.len % 2 == 0)
        grpc_call_finish(call, message);
    else
        self->n_held++;
}

static void on_abandoned(void *argument, struct grpc_call *call)
{
    (void)call;
    struct session *self = argument;
    demand(self->n_held > 0);
    self->n_held--;
}

/* Sends some of what is left, reads what there is. */
static void on_turn(void *argument)
{
    struct session *self = argument;
    char heard[4096];
    const size_t n = ftri_size_min(self->left.len, PIECE_BYTES);
    const ssize_t sent = send(self->peer, self->left.data, n, MSG_NOSIGNAL);
    if (sent > 0)
        self->left = ftri_view_of(self->left.data + sent, self->left.len - (size_t)sent);
    if (self->left.len == 0)
        (void)shutdown(self->peer, SHUT_WR);
    while (recv(self->peer, heard, sizeof heard, 0) > 0)
        ;
    if (self->server->n_connections == 0 || ++self->n_turns > TURNS_MOST)
        loop_stop(self->loop);
    else
        loop_timer_start(self->timer, 0);
}

static void open_server(struct session *self)
{
    struct grpc_server_options options = {
        .address = "127.0.0.1:0",
        .handler = {on_call, on_message, on_abandoned, self},
    };
    struct ftri_error error;
    grpc_limits_default(&options.limits);
    options.limits.message_bytes = 64 * 1024;
    options.limits.connection_bytes = 256 * 1024;
    self->loop = loop_new(&error);
    demand(self->loop != NULL);
    self->timer = loop_timer_new(self->loop, on_turn, self);
    demand(self->timer && grpc_server_open(self->loop, &options, &self->server, &error) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct session session;
    int ends[2];
    if (!session.loop)
        open_server(&session);
    demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    demand(send(ends[1], preface, sizeof preface - 1, MSG_NOSIGNAL) == sizeof preface - 1);
    session.peer = ends[1];
    session.left = ftri_view_of(data, size);
    session.n_turns = 0;
    grpc_connection_open(session.server, ends[0], NULL);
    loop_timer_start(session.timer, 0);
    loop_run(session.loop);
    demand(session.server->n_connections == 0);
    demand(session.server->bytes == 0 && session.n_held == 0);
    close(ends[1]);
    return 0;
}
