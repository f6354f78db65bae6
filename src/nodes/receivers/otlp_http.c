/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/otlp over HTTP (opentelemetry-proto, docs/specification.md "OTLP/HTTP"): 200 when the
 * request was accepted, 503 with Retry-After when it may be sent again, 400 with the field's name
 * when it never can be. */
#include "nodes/receivers/otlp.h"

#include "base/error.h"
#include "base/fault.h"
#include "engine/node.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "nodes/receivers/otlp_signal.h"
#include "otlp/response.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char *content_type(bool is_json)
{
    return is_json ? "application/json" : "application/x-protobuf";
}

/* True for `type`, with or without parameters, in any case. */
static bool is_type(ftr_str header, const char *type)
{
    const size_t len = strlen(type);
    if (header.len < len || strncasecmp(header.data, type, len) != 0)
        return false;
    return header.len == len || header.data[len] == ';' || header.data[len] == ' ';
}

static bool is_json_request(const struct http_exchange *exchange)
{
    return is_type(http_exchange_header(exchange, "content-type"), "application/json");
}

/* google.rpc.Code for an HTTP status, as the specification pairs them. */
static int rpc_code(int http_status)
{
    switch (http_status) {
    case 400:
        return 3; /* INVALID_ARGUMENT */
    case 404:
        return 12; /* UNIMPLEMENTED */
    case 413:
        return 8; /* RESOURCE_EXHAUSTED */
    case 503:
        return 14; /* UNAVAILABLE */
    default:
        return http_status >= 500 ? 13 : 9; /* INTERNAL, FAILED_PRECONDITION */
    }
}

/* A google.rpc.Status in the request's own encoding. */
static void refuse(struct http_exchange *exchange, bool is_json, int status, const char *message)
{
    struct ftri_bytes body;
    ftri_bytes_init(&body, 4096);
    const ftr_str text = ftr_str_from(message);
    int r = is_json ? ftri_otlp_status_to_json(rpc_code(status), text, &body)
                    : ftri_otlp_status_to_bytes(rpc_code(status), text, &body);
    if (r < 0)
        ftri_bytes_reset(&body);
    http_exchange_send(exchange, status, content_type(is_json), ftri_bytes_view(&body));
    ftri_bytes_deinit(&body);
}

static void refuse_plain(struct http_exchange *exchange, int status, const char *message)
{
    http_exchange_send(exchange, status, "text/plain; charset=utf-8",
                       ftri_view_of(message, strlen(message)));
}

static void refuse_retryably(struct http_exchange *exchange, bool is_json, const char *message)
{
    http_exchange_set_header(exchange, "Retry-After", "2");
    refuse(exchange, is_json, 503, message);
}

/* NULL: nothing is at this path. */
static const struct otlp_signal *signal_of(const struct http_exchange *exchange)
{
    const ftr_str path = http_exchange_path(exchange);
    for (size_t i = 0; i < OTLP_SIGNALS; i++)
        if (ftri_str_compare(path, ftr_str_from(otlp_signals[i].http_path)) == 0)
            return &otlp_signals[i];
    return NULL;
}

static void on_request(void *argument, struct http_exchange *exchange)
{
    struct otlp_state *state = argument;
    const ftr_str method = http_exchange_method(exchange);
    const ftr_str type = http_exchange_header(exchange, "content-type");
    const struct otlp_signal *signal = signal_of(exchange);
    if (!signal) {
        refuse_plain(exchange, 404,
                     "nothing here; OTLP goes to /v1/traces, /v1/logs, /v1/metrics\n");
    } else if (!otlp_serves(state, signal)) {
        refuse_plain(exchange, 404, "this signal is not taken in here\n");
    } else if (method.len != 4 || memcmp(method.data, "POST", 4) != 0) {
        http_exchange_set_header(exchange, "Allow", "POST");
        refuse_plain(exchange, 405, "only POST is accepted here\n");
    } else if (!is_type(type, "application/json") && !is_type(type, "application/x-protobuf")) {
        refuse_plain(exchange, 415,
                     "content-type must be application/x-protobuf or application/json\n");
    } else if (state->is_draining) {
        refuse_retryably(exchange, is_json_request(exchange), "the collector is shutting down");
    }
}

static void on_abandoned(void *argument, struct http_exchange *exchange)
{
    (void)argument;
    otlp_request_abandon(http_exchange_data(exchange));
}

static void accept_peer(void *peer, bool is_json, const struct ftri_otlp_partial_success *partial)
{
    struct ftri_bytes body FTRI_CLEANUP(ftri_bytes_deinit);
    const ftr_str rejected_name = ftr_str_from(signal_of(peer)->rejected_name);
    ftri_bytes_init(&body, 4096);
    const int r = is_json ? ftri_otlp_response_to_json(partial, rejected_name, &body)
                          : ftri_otlp_response_to_bytes(partial, &body);
    if (r < 0) {
        refuse_retryably(peer, is_json, "memory is short");
        return;
    }
    FTRI_FAULT_POINT("receiver.before_answer");
    http_exchange_send(peer, 200, content_type(is_json), ftri_bytes_view(&body));
    FTRI_FAULT_POINT("receiver.after_answer");
}

static void refuse_peer(void *peer, bool is_json, const char *message)
{
    refuse(peer, is_json, 400, message);
}

static void refuse_peer_retryably(void *peer, bool is_json, const char *message)
{
    refuse_retryably(peer, is_json, message);
}

static void hold_peer(void *peer, struct otlp_request *request)
{
    http_exchange_set_data(peer, request);
    http_exchange_on_abandoned(peer, on_abandoned);
}

static bool next_header(const void *peer, size_t *next, ftr_str *ret_name, ftr_str *ret_value)
{
    return http_exchange_field(peer, (*next)++, ret_name, ret_value);
}

static const struct otlp_protocol protocol = {next_header, accept_peer, refuse_peer,
                                              refuse_peer_retryably, hold_peer};

static void on_body(void *argument, struct http_exchange *exchange)
{
    const struct otlp_arrival arrival = {&protocol, signal_of(exchange), exchange,
                                         is_json_request(exchange)};
    struct ftri_bytes bytes = http_exchange_take_body(exchange);
    otlp_take(argument, &arrival, &bytes);
}

static void on_refusal(void *argument, struct http_exchange *exchange, int status,
                       const char *reason)
{
    (void)argument;
    const ftr_str type = http_exchange_header(exchange, "content-type");
    if (status == 413 && (is_json_request(exchange) || is_type(type, "application/x-protobuf")))
        refuse(exchange, is_json_request(exchange), status, reason);
    else
        refuse_plain(exchange, status, reason);
}

static struct http_limits limits_of(const struct otlp_options *options)
{
    return (struct http_limits){
        .header_bytes = options->max_header_bytes,
        .n_headers = options->max_headers,
        .target_bytes = options->max_target_bytes,
        .body_bytes = options->max_body_bytes,
        .all_bodies_bytes = options->max_bodies_bytes,
        .connections = options->max_connections,
        .connections_per_ip = options->max_connections_per_ip,
        .body_rate = options->min_body_rate_bytes,
        .header_timeout_ns = options->header_timeout_ns,
        .body_timeout_ns = options->body_timeout_ns,
        .idle_timeout_ns = options->idle_timeout_ns,
    };
}

/* One listener; option names where its address comes from. */
static int open_server(struct otlp_state *state, const char *option, const char *address,
                       struct http_server **ret_server, struct ftri_error *error)
{
    const struct otlp_state *const first = node_state(node_first(state->node));
    if (!otlp_listens(state->node, first->http ? http_server_address(first->http) : NULL, &address))
        return 0;
    const struct http_server_options server = {
        .address = address,
        .limits = limits_of(node_options(state->node)),
        .handler = {on_request, on_body, on_refusal, state},
        .access = &state->access,
        .is_shared = node_n_loops(state->node) > 1,
        .is_first = node_loop_index(state->node) == 0,
    };
    int r = otlp_check_reach(state->node, option, address, error);
    if (r == 0)
        r = http_server_open(node_loop(state->node), &server, ret_server, error);
    if (r == 0)
        otlp_announce(state->node, "otlp/http", http_server_address(*ret_server));
    return r;
}

int otlp_http_open(struct otlp_state *state, const struct otlp_options *options,
                   struct ftri_error *error)
{
    const int r = open_server(state, "http", options->http, &state->http, error);
    return r < 0 ? r : open_server(state, "unix", options->unix_socket, &state->unix_http, error);
}
