/* SPDX-License-Identifier: Apache-2.0 */
#include "otlp_sink.h"

#include "base/error.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/loop.h"
#include "otlp/view.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void on_request(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    (void)exchange;
}

static void on_body(void *argument, struct http_exchange *exchange)
{
    const bool is_valid = take(argument, http_exchange_body(exchange));
    http_exchange_send(exchange, is_valid ? 200 : 400, "application/x-protobuf",
                       ftri_view_of("", 0));
}

static void on_refusal(void *argument, struct http_exchange *exchange, int status,
                       const char *reason)
{
    struct otlp_sink_state *state = argument;
    (void)exchange, (void)status, (void)reason;
    atomic_fetch_add(&state->n_refused, 1);
}

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

static const char *open_http(struct loop *loop, struct otlp_sink_state *state, const char *address)
{
    struct http_server_options options = {.address = address};
    struct http_server *server;
    struct ftri_error error;
    http_limits_default(&options.limits);
    options.handler = (struct http_handler){on_request, on_body, on_refusal, state};
    if (http_server_open(loop, &options, &server, &error) < 0)
        fail(error.text);
    return http_server_address(server);
}

static const char *open_grpc(struct loop *loop, struct otlp_sink_state *state, const char *address)
{
    struct grpc_server_options options = {.address = address};
    struct grpc_server *server;
    struct ftri_error error;
    grpc_limits_default(&options.limits);
    options.handler = (struct grpc_handler){on_call, on_message, on_abandoned, state};
    if (grpc_server_open(loop, &options, &server, &error) < 0)
        fail(error.text);
    return grpc_server_address(server);
}

static void run(struct otlp_sink *self, int ready)
{
    struct otlp_sink_state *state = self->state;
    struct ftri_error error;
    char socket[OTLP_SINK_URL_BYTES];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct loop *loop = loop_new(&error);
    if (!loop)
        fail(error.text);
    snprintf(socket, sizeof socket, "unix:%s/http", self->directory);
    open_http(loop, state, socket);
    snprintf(state->unix_http, OTLP_SINK_URL_BYTES, "unix://%s/http", self->directory);
    snprintf(state->http, OTLP_SINK_URL_BYTES, "http://%s/v1/traces",
             open_http(loop, state, "127.0.0.1:0"));
    snprintf(state->grpc, OTLP_SINK_URL_BYTES, "http://%s", open_grpc(loop, state, "127.0.0.1:0"));
    if (write(ready, "", 1) != 1)
        exit(1);
    loop_run(loop);
    exit(0);
}

void otlp_sink_start(struct otlp_sink *self)
{
    int ready[2];
    char byte;
    strcpy(self->directory, "/tmp/bench-sink-XXXXXX");
    self->state = mmap(NULL, sizeof *self->state, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
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
    char socket[OTLP_SINK_URL_BYTES];
    kill(self->pid, SIGKILL);
    waitpid(self->pid, NULL, 0);
    snprintf(socket, sizeof socket, "%s/http", self->directory);
    unlink(socket);
    rmdir(self->directory);
    munmap(self->state, sizeof *self->state);
}
