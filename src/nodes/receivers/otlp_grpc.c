/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/otlp over gRPC (opentelemetry-proto, docs/specification.md "OTLP/gRPC"): OK when the
 * request was accepted, UNAVAILABLE with RetryInfo when it may be sent again, INVALID_ARGUMENT with
 * the field's name when it never can be. */
#include "nodes/receivers/otlp.h"

#include "base/fault.h"
#include "base/time.h"
#include "engine/node.h"
#include "net/grpc_server.h"
#include "nodes/receivers/otlp_signal.h"
#include "otlp/response.h"

#define RETRY_NS (2 * FTRI_NS_PER_S) /* clients that give up after five tries last longer */

/* Generated from otlp/schema. */
extern const struct ftri_view otlp_descriptors;

static const struct otlp_signal *signal_of(const struct grpc_call *call)
{
    const ftr_str path = grpc_call_path(call);
    for (size_t i = 0; i < OTLP_SIGNALS; i++)
        if (ftri_str_compare(path, ftr_str_from(otlp_signals[i].grpc_path)) == 0)
            return &otlp_signals[i];
    return NULL;
}

static void accept_peer(void *peer, bool is_json, const struct ftri_otlp_partial_success *partial)
{
    struct ftri_bytes response FTRI_CLEANUP(ftri_bytes_deinit);
    (void)is_json;
    ftri_bytes_init(&response, 1024);
    if (ftri_otlp_response_to_bytes(partial, &response) < 0) {
        grpc_call_refuse_retryably(peer, "memory is short", RETRY_NS);
        return;
    }
    FTRI_FAULT_POINT("receiver.before_answer");
    grpc_call_finish(peer, ftri_bytes_view(&response));
    FTRI_FAULT_POINT("receiver.after_answer");
}

static void refuse_peer(void *peer, bool is_json, const char *message)
{
    (void)is_json;
    grpc_call_refuse(peer, GRPC_INVALID_ARGUMENT, message);
}

static void refuse_peer_retryably(void *peer, bool is_json, const char *message)
{
    (void)is_json;
    grpc_call_refuse_retryably(peer, message, RETRY_NS);
}

static void hold_peer(void *peer, struct otlp_request *request)
{
    grpc_call_set_data(peer, request);
}

static bool next_header(const void *peer, size_t *next, ftr_str *ret_name, ftr_str *ret_value)
{
    return grpc_call_next_metadata(peer, next, ret_name, ret_value);
}

static const struct otlp_protocol protocol = {next_header, accept_peer, refuse_peer,
                                              refuse_peer_retryably, hold_peer};

static bool on_call(void *argument, struct grpc_call *call)
{
    const struct otlp_signal *signal = signal_of(call);
    return signal && otlp_serves(argument, signal);
}

static void on_message(void *argument, struct grpc_call *call)
{
    const struct otlp_arrival arrival = {&protocol, signal_of(call), call, false};
    struct ftri_bytes bytes = grpc_call_take_message(call);
    otlp_take(argument, &arrival, &bytes);
}

static void on_abandoned(void *argument, struct grpc_call *call)
{
    (void)argument;
    otlp_request_abandon(grpc_call_data(call));
}

static struct grpc_limits limits_of(const struct otlp_options *options)
{
    return (struct grpc_limits){
        .header_bytes = options->max_header_bytes,
        .n_headers = options->max_headers,
        .message_bytes =
            options->max_message_bytes ? options->max_message_bytes : options->max_body_bytes,
        .connection_bytes = options->max_connection_bodies_bytes,
        .all_bytes = options->max_bodies_bytes,
        .streams = options->max_streams,
        .connections = options->max_connections,
        .connections_per_ip = options->max_connections_per_ip,
        .message_rate = options->min_body_rate_bytes,
        .resets = options->max_resets,
        .resets_per_s = options->max_resets_per_s,
        .control_frames = options->max_control_frames,
        .control_frames_per_s = options->max_control_frames_per_s,
        .header_timeout_ns = options->header_timeout_ns,
        .message_timeout_ns = options->body_timeout_ns,
        .idle_timeout_ns = options->idle_timeout_ns,
    };
}

int otlp_grpc_open(struct otlp_state *state, const struct otlp_options *options,
                   struct ftri_error *error)
{
    const struct otlp_state *const first = node_state(node_first(state->node));
    const char *address = options->grpc;
    if (!otlp_listens(state->node, first->grpc ? grpc_server_address(first->grpc) : NULL, &address))
        return 0;
    const struct grpc_server_options server = {
        .address = address,
        .descriptors = otlp_descriptors,
        .limits = limits_of(options),
        .handler = {on_call, on_message, on_abandoned, state},
        .access = &state->access,
        .is_shared = node_n_loops(state->node) > 1,
        .is_first = node_loop_index(state->node) == 0,
    };
    int r = otlp_check_reach(state->node, "grpc", options->grpc, error);
    if (r == 0)
        r = grpc_server_open(node_loop(state->node), &server, &state->grpc, error);
    if (r == 0)
        otlp_announce(state->node, "otlp/grpc", grpc_server_address(state->grpc));
    return r;
}
