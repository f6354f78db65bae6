/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/otlp over gRPC (opentelemetry-proto, docs/specification.md "OTLP/gRPC"): OK when the
 * request was accepted, UNAVAILABLE with RetryInfo when it may be sent again, INVALID_ARGUMENT with
 * the field's name when it never can be. Metrics and logs have nowhere to go here: they are
 * answered with partial success, all rejected, and the number of what was rejected. */
#include "nodes/receivers/otlp.h"

#include "base/fault.h"
#include "base/time.h"
#include "codec/wire.h"
#include "engine/node.h"
#include "net/grpc_server.h"
#include "otlp/response.h"

#include <string.h>

#define RETRY_NS FTRI_NS_PER_S

enum { LEVELS_MOST = 5 };

/* One Export method; levels: the field numbers, as bits, on the way from the request to what is
 * counted; 0 ends them. None: traces. */
struct method {
    const char *path;
    const char *refusal;
    uint32_t levels[LEVELS_MOST + 1];
};

#define SERVICE(signal) "opentelemetry.proto.collector." signal

static const struct method methods[] = {
    {"/" SERVICE("trace.v1.TraceService/Export"), NULL, {0}},
    /* resource_metrics 1, scope_metrics 2, metrics 2, gauge 5 | sum 7 | histogram 9 |
     * exponential_histogram 10 | summary 11, data_points 1 */
    {"/" SERVICE("metrics.v1.MetricsService/Export"),
     "this collector takes traces; metrics are not kept",
     {1U << 1, 1U << 2, 1U << 2, 1U << 5 | 1U << 7 | 1U << 9 | 1U << 10 | 1U << 11, 1U << 1, 0}},
    /* resource_logs 1, scope_logs 2, log_records 2 */
    {"/" SERVICE("logs.v1.LogsService/Export"),
     "this collector takes traces; logs are not kept",
     {1U << 1, 1U << 2, 1U << 2, 0}},
};

static const char *const services[] = {
    SERVICE("trace.v1.TraceService"),
    SERVICE("metrics.v1.MetricsService"),
    SERVICE("logs.v1.LogsService"),
    NULL,
};

static const struct method *method_of(const struct grpc_call *call)
{
    const ftr_str path = grpc_call_path(call);
    for (size_t i = 0; i < FTRI_COUNT(methods); i++)
        if (path.len == strlen(methods[i].path) &&
            memcmp(path.data, methods[i].path, path.len) == 0)
            return &methods[i];
    return NULL;
}

static void accept_peer(void *peer, bool is_json)
{
    (void)is_json;
    FTRI_FAULT_POINT("receiver.before_answer");
    grpc_call_finish(peer, ftri_view_of("", 0));
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

static const struct otlp_protocol protocol = {accept_peer, refuse_peer, refuse_peer_retryably,
                                              hold_peer};

/* Adds to *n the messages at the end of levels. 0 or -EBADMSG. */
static int count_items(struct ftri_view message, const uint32_t *levels, uint64_t *n)
{
    struct ftri_wire_field field;
    size_t next = 0;
    int r;
    while ((r = ftri_wire_next(message, &next, &field)) == FTRI_WIRE_FIELD) {
        const bool is_wanted = field.type == FTRI_WIRE_BYTES && field.number < 32 &&
                               (levels[0] & UINT32_C(1) << field.number);
        if (is_wanted && levels[1] == 0)
            ++*n;
        r = is_wanted && levels[1] ? count_items(field.bytes, levels + 1, n) : 0;
        if (r < 0)
            return r;
    }
    return r;
}

static void reject_items(struct grpc_call *call, const struct method *method)
{
    struct ftri_otlp_partial_success partial = {.message = ftr_str_from(method->refusal)};
    struct ftri_bytes response;
    ftri_bytes_init(&response, 1024);
    if (count_items(grpc_call_message(call), method->levels, &partial.n_rejected_spans) < 0)
        grpc_call_refuse(call, GRPC_INVALID_ARGUMENT, "the request is not protobuf");
    else if (partial.n_rejected_spans == 0)
        grpc_call_finish(call, ftri_view_of("", 0));
    else if (ftri_otlp_response_to_bytes(&partial, &response) < 0)
        grpc_call_refuse_retryably(call, "memory is short", RETRY_NS);
    else
        grpc_call_finish(call, ftri_bytes_view(&response));
    ftri_bytes_deinit(&response);
}

static bool on_call(void *argument, struct grpc_call *call)
{
    (void)argument;
    return method_of(call) != NULL;
}

static void on_message(void *argument, struct grpc_call *call)
{
    const struct method *method = method_of(call);
    if (method->refusal) {
        reject_items(call, method);
        return;
    }
    struct ftri_bytes bytes = grpc_call_take_message(call);
    otlp_take(argument, &protocol, call, false, &bytes);
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
        .message_bytes = options->max_body_bytes,
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
    const struct grpc_server_options server = {
        .address = options->grpc,
        .services = services,
        .limits = limits_of(options),
        .handler = {on_call, on_message, on_abandoned, state},
        .access = &state->access,
    };
    int r = otlp_check_reach(state->node, "grpc", options->grpc, error);
    if (r == 0)
        r = grpc_server_open(node_loop(state->node), &server, &state->grpc, error);
    if (r == 0)
        otlp_announce(state->node, "otlp/grpc", grpc_server_address(state->grpc));
    return r;
}
