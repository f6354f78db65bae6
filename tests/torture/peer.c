/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections are served together, each with the requests that come on it, by one thread. */
#include "peer.h"

#include "peer_grpc.h"
#include "torture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 8, REQUEST_BYTES = 256 * 1024 };

struct connection {
    int fd;                 /* -1: free */
    struct peer_grpc *grpc; /* NULL: HTTP */
    size_t len;
    char text[REQUEST_BYTES];
};

/* Where the body starts, once all of it is there; 0: not yet. */
static size_t whole_request(const struct connection *connection)
{
    const char *const text = connection->text;
    const char *const end = memmem(text, connection->len, "\r\n\r\n", 4);
    const char *const field = end ? strcasestr(text, "content-length:") : NULL;
    if (!field)
        return 0;
    const size_t body = (size_t)(end + 4 - text);
    const size_t len = strtoul(field + sizeof "content-length:" - 1, NULL, 10);
    return connection->len - body >= len ? body : 0;
}

static void end(struct connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    peer_grpc_free(connection->grpc);
    connection->grpc = NULL;
}

static void serve(struct peer *self, struct connection *connection)
{
    const ssize_t n = recv(connection->fd, connection->text + connection->len,
                           sizeof connection->text - 1 - connection->len, 0);
    if (n <= 0) {
        end(connection);
        return;
    }
    if (connection->grpc) {
        if (!peer_grpc_take(connection->grpc, connection->text, (size_t)n))
            end(connection);
        return;
    }
    connection->len += (size_t)n;
    connection->text[connection->len] = '\0';
    const size_t body = whole_request(connection);
    if (body == 0)
        return;
    char answer[128];
    const int len =
        snprintf(answer, sizeof answer, "HTTP/1.1 %d Answer\r\nContent-Length: 0\r\n\r\n",
                 self->answer(self, ftri_view_of(connection->text + body, connection->len - body)));
    connection->len = 0;
    if (send(connection->fd, answer, (size_t)len, MSG_NOSIGNAL) != len)
        end(connection);
}

static void take_connection(struct peer *self, struct connection *connections)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (connections[i].fd >= 0)
            continue;
        connections[i].fd = accept(self->fd, NULL, NULL);
        connections[i].len = 0;
        if (self->is_grpc && connections[i].fd >= 0)
            connections[i].grpc =
                peer_grpc_new(connections[i].fd, self->answer(self, (struct ftri_view){0}));
        return;
    }
    torture_fail(__FILE__, __LINE__, "more than %d connections", CONNECTIONS);
}

/* False: closed. */
static bool serve_ready(struct peer *self, struct connection *connections)
{
    struct pollfd entries[CONNECTIONS + 1] = {{.fd = self->fd, .events = POLLIN}};
    for (size_t i = 0; i < CONNECTIONS; i++)
        entries[i + 1] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
    if (poll(entries, CONNECTIONS + 1, -1) < 0 || (entries[0].revents & POLLHUP))
        return false;
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (entries[i + 1].revents)
            serve(self, &connections[i]);
    if (entries[0].revents)
        take_connection(self, connections);
    return true;
}

static void *run(void *argument)
{
    struct connection *connections = calloc(CONNECTIONS, sizeof *connections);
    EXPECT(connections);
    for (size_t i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    while (serve_ready(argument, connections))
        ;
    for (size_t i = 0; i < CONNECTIONS; i++)
        if (connections[i].fd >= 0)
            end(&connections[i]);
    free(connections);
    return NULL;
}

void peer_open(struct peer *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(self->fd >= 0 && bind(self->fd, (struct sockaddr *)&address, len) == 0);
    EXPECT(getsockname(self->fd, (struct sockaddr *)&address, &len) == 0);
    self->port = ntohs(address.sin_port);
    if (!self->answer)
        return;
    EXPECT(listen(self->fd, 16) == 0);
    EXPECT(pthread_create(&self->thread, NULL, run, self) == 0);
}

void peer_close(struct peer *self)
{
    if (self->answer) {
        EXPECT(shutdown(self->fd, SHUT_RDWR) == 0); /* the thread sees the end */
        pthread_join(self->thread, NULL);
    }
    close(self->fd);
}
