/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/health: answers those who ask whether the graph runs (probes of Kubernetes and load
 * balancers): 200 while it does, 503 once it is being drained. It has no output, and never keeps a
 * graph from coming to its end. */
#include "nodes/receivers/receivers.h"

#include "base/error.h"
#include "engine/node.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "nodes/environment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct health_options {
    const char *address;
    const char *path;
    const char *healthy, *unhealthy;
};

#define AT(member) offsetof(struct health_options, member)

static const struct option rows[] = {
    {"address", OPTION_STR, AT(address), "127.0.0.1:13133",
     .sentence = "Where it listens: HOST:PORT (0 picks one), unix:/path or unix:@name."},
    {"path", OPTION_STR, AT(path), "/", .sentence = "Nothing is at other paths."},
    {"healthy", OPTION_STR, AT(healthy), "{\"status\":\"Server available\"}",
     .sentence = "What is answered with 200."},
    {"unhealthy", OPTION_STR, AT(unhealthy), "{\"status\":\"Server not available\"}",
     .sentence = "What is answered with 503."},
};

struct health_state {
    struct node *node;
    struct http_server *server;
    bool is_draining;
};

static int health_check(const void *values, struct ftri_error *error)
{
    const struct health_options *options = values;
    if (options->path[0] != '/')
        return ftri_error_set(error, -EINVAL, "path: '%.100s' does not begin with '/'",
                              options->path);
    return listener_check("address", options->address, error);
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    const struct health_state *state = argument;
    const struct health_options *options = node_options(state->node);
    const char *text = state->is_draining ? options->unhealthy : options->healthy;
    const char *type = text[0] == '{' ? "application/json" : "text/plain; charset=utf-8";
    if (ftri_str_compare(http_exchange_path(exchange), ftr_str_from(options->path)) != 0)
        http_exchange_send(exchange, 404, NULL, ftri_view_of("", 0));
    else
        http_exchange_send(exchange, state->is_draining ? 503 : 200, type,
                           ftri_view_of(text, strlen(text)));
}

static void announce(struct nodes_environment *environment, const char *address)
{
    if (environment && environment->n_listeners < NODES_LISTENERS_MAX)
        snprintf(environment->listeners[environment->n_listeners++],
                 sizeof environment->listeners[0], "health listening on %s", address);
}

static int health_start(struct node *node, struct ftri_error *error)
{
    struct health_state *state = node_state(node);
    const struct health_options *options = node_options(node);
    struct nodes_environment *environment = node_environment(node);
    struct http_server_options server = {.address = options->address,
                                         .handler = {.on_request = on_request, .argument = state}};
    http_limits_default(&server.limits);
    state->node = node;
    int r = listener_check_reach("address", options->address,
                                 environment && environment->is_insecure, error);
    if (r == 0)
        r = http_server_open(node_loop(node), &server, &state->server, error);
    if (r < 0)
        return r;
    announce(environment, http_server_address(state->server));
    node_finished(node);
    return 0;
}

static void health_control(struct node *node, const struct control *message)
{
    struct health_state *state = node_state(node);
    if (message->kind != CONTROL_DRAIN_INGRESS)
        return;
    state->is_draining = true;
    node_drained(node);
}

static void health_stop(struct node *node)
{
    struct health_state *state = node_state(node);
    http_server_close(state->server);
}

static const char *const no_ports[] = {NULL};

const struct node_class receiver_health = {
    .type = "receiver/health",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Answers over HTTP whether the graph runs; has no output.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct health_options)},
    .ports = no_ports,
    .state_size = sizeof(struct health_state),
    .state = STATE_OF_GRAPH,
    .check = health_check,
    .start = health_start,
    .control = health_control,
    .stop = health_stop,
};
