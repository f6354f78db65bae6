/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp_sink.h"

#include "base/error.h"
#include "net/grpc_server.h"
#include "net/loop.h"
#include "otlp/view.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUEST_BYTES = 8 << 20 };

static void fail(const char *what)
{
    fprintf(stderr, "otlp-sink: %s\n", what);
    exit(1);
}

static bool take(struct otlp_sink_state *state, struct ftri_view request)
{
    struct ftri_otlp_counts counts;
    struct ftri_otlp_error error;
    if (ftri_otlp_traces_check(request, &counts, &error) < 0) {
        atomic_fetch_add(&state->n_refused, 1);
        return false;
    }
    atomic_fetch_add(&state->n_bytes, request.len);
    atomic_fetch_add(&state->n_requests, 1);
    atomic_fetch_add(&state->n_spans, counts.n_spans);
    return true;
}

/* --- HTTP/1.1: large blocking reads, one connection at a time of each listener ---------------- */

struct listener {
    int fd;
    struct otlp_sink_state *state;
};

struct connection {
    int fd;
    struct otlp_sink_state *state;
    char *data; /* REQUEST_BYTES */
    size_t len;
};

/* More of the request; false: the peer is gone. */
static bool read_more(struct connection *self)
{
    const ssize_t n = recv(self->fd, self->data + self->len, REQUEST_BYTES - self->len, 0);
    self->len += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Length of the head with its empty line, 0: the peer is gone. */
static size_t read_head(struct connection *self)
{
    const char *end;
    while (!(end = memmem(self->data, self->len, "\r\n\r\n", 4)))
        if (!read_more(self))
            return 0;
    return (size_t)(end - self->data) + 4;
}

static size_t content_length(const struct connection *self, size_t head)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *field = memmem(self->data, head, name, sizeof name - 1);
    if (!field)
        fail("a request without a Content-Length");
    return strtoul(field + sizeof name - 1, NULL, 10);
}

static bool answer(struct connection *self, bool is_valid)
{
    static const char rest[] = "Content-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    char text[160];
    const int len = snprintf(text, sizeof text, "HTTP/1.1 %s\r\n%s",
                             is_valid ? "200 OK" : "400 Bad Request", rest);
    return send(self->fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool serve_request(struct connection *self)
{
    const size_t head = read_head(self);
    const size_t body = head ? content_length(self, head) : 0;
    if (!head || head + body > REQUEST_BYTES)
        return false;
    while (self->len < head + body)
        if (!read_more(self))
            return false;
    const bool is_valid = take(self->state, ftri_view_of(self->data + head, body));
    self->len -= head + body;
    memmove(self->data, self->data + head + body, self->len);
    return answer(self, is_valid);
}

static void *serve(void *argument)
{
    const struct listener *self = argument;
    char *data = malloc(REQUEST_BYTES);
    if (!data)
        fail("memory is short");
    for (int fd; (fd = accept(self->fd, NULL, NULL)) >= 0; close(fd)) {
        struct connection connection = {.fd = fd, .state = self->state, .data = data};
        while (serve_request(&connection))
            ;
    }
    return NULL;
}

static void listen_at(struct listener *self, const struct sockaddr *address, socklen_t len)
{
    pthread_t thread;
    self->fd = socket(address->sa_family, SOCK_STREAM, 0);
    if (self->fd < 0 || bind(self->fd, address, len) < 0 || listen(self->fd, 8) < 0 ||
        pthread_create(&thread, NULL, serve, self) != 0)
        fail("cannot listen");
}

static void open_tcp(struct otlp_sink_state *state)
{
    static struct listener listener;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    listener.state = state;
    listen_at(&listener, (struct sockaddr *)&address, len);
    getsockname(listener.fd, (struct sockaddr *)&address, &len);
    snprintf(state->http, OTLP_SINK_URL_BYTES, "http://127.0.0.1:%u/v1/traces",
             ntohs(address.sin_port));
}

static void open_unix(struct otlp_sink_state *state, const char *directory)
{
    static struct listener listener;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    listener.state = state;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/http", directory);
    listen_at(&listener, (struct sockaddr *)&address, sizeof address);
    snprintf(state->unix_http, OTLP_SINK_URL_BYTES, "unix://%s", address.sun_path);
}

/* --- gRPC: the collector's server --------------------------------------------------------------
 */

static bool on_call(void *argument, struct grpc_call *call)
{
    (void)argument;
    (void)call;
    return true;
}

static void on_message(void *argument, struct grpc_call *call)
{
    if (take(argument, grpc_call_message(call)))
        grpc_call_finish(call, ftri_view_of("", 0));
    else
        grpc_call_refuse(call, GRPC_INVALID_ARGUMENT, "not a valid request");
}

static void on_abandoned(void *argument, struct grpc_call *call)
{
    (void)argument;
    (void)call;
}

static void open_grpc(struct loop *loop, struct otlp_sink_state *state)
{
    struct grpc_server_options options = {.address = "127.0.0.1:0"};
    struct grpc_server *server;
    struct ftri_error error;
    grpc_limits_default(&options.limits);
    options.handler = (struct grpc_handler){on_call, on_message, on_abandoned, state};
    if (grpc_server_open(loop, &options, &server, &error) < 0)
        fail(error.text);
    snprintf(state->grpc, OTLP_SINK_URL_BYTES, "http://%s", grpc_server_address(server));
}

static void run(struct otlp_sink *self, int ready)
{
    struct otlp_sink_state *state = self->state;
    struct ftri_error error;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct loop *loop = loop_new(&error);
    if (!loop)
        fail(error.text);
    open_unix(state, self->directory);
    open_tcp(state);
    open_grpc(loop, state);
    if (write(ready, "", 1) != 1)
        exit(1);
    loop_run(loop);
    exit(0);
}

static void remove_directory(const struct otlp_sink *self)
{
    char socket[OTLP_SINK_URL_BYTES];
    snprintf(socket, sizeof socket, "%s/http", self->directory);
    unlink(socket);
    rmdir(self->directory);
}

void otlp_sink_start(struct otlp_sink *self)
{
    int ready[2];
    char byte;
    snprintf(self->directory, sizeof self->directory, "/tmp/bench-sink-XXXXXX");
    self->state =
        mmap(NULL, sizeof *self->state, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (self->state == MAP_FAILED || !mkdtemp(self->directory) || pipe(ready) < 0)
        fail("no memory, directory or pipe");
    self->pid = fork();
    if (self->pid < 0)
        fail("no process");
    if (self->pid == 0)
        run(self, ready[1]);
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        fail("did not start");
    close(ready[0]);
}

void otlp_sink_stop(struct otlp_sink *self)
{
    if (self->pid <= 0)
        return;
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    self->pid = 0;
    remove_directory(self);
    munmap(self->state, sizeof *self->state);
}
