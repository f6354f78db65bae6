/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/otlp: a request becomes one pdata of checked OTLP bytes and is answered when its outcome
 * is known: accepted when every node below accepted it (in `flowtrace serve`: when it is in the
 * write-ahead log), refused retryably when it may be sent again, refused with the field's name when
 * it never can be. Unless they are passed on, metrics and log records that are no events of a span
 * are accepted with partial success that says how many were rejected, and why; they are dropped in
 * the node's account. */
#include "nodes/receivers/otlp.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "engine/node.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "net/listener.h"
#include "nodes/environment.h"
#include "nodes/receivers/otlp_metadata.h"
#include "nodes/receivers/otlp_signal.h"
#include "nodes/receivers/receivers.h"
#include "otlp/response.h"
#include "otlp/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { METRICS_REJECT, METRICS_PASS };
enum { LOGS_EVENTS, LOGS_PASS };
static const char *const metrics_names[] = {"reject", "pass", NULL};
static const char *const logs_names[] = {"events", "pass", NULL};

static const struct option rows[] = {
    {"grpc", OPTION_STR, offsetof(struct otlp_options, grpc), "127.0.0.1:4317",
     .sentence = "Where OTLP over gRPC listens: HOST:PORT (0 picks one), unix:/path, unix:@name "
                 "(abstract), or off."},
    {"http", OPTION_STR, offsetof(struct otlp_options, http), "127.0.0.1:4318",
     .sentence = "Where OTLP over HTTP listens, likewise."},
    {"unix", OPTION_STR, offsetof(struct otlp_options, unix_socket), "off",
     .sentence = "OTLP over HTTP on a Unix socket beside `http`: unix:/path, unix:@name, or off."},
    {"socket_mode", OPTION_STR, offsetof(struct otlp_options, socket_mode), "0660",
     .sentence = "Mode of every Unix socket's file, octal."},
    {"socket_owner", OPTION_STR, offsetof(struct otlp_options, socket_owner), "",
     .sentence = "Owner of every Unix socket's file: user, user:group or :group; else as made."},
    {"socket_users", OPTION_STR_LIST, offsetof(struct otlp_options, socket_users),
     .sentence = "Users, by name or number, that may connect to Unix sockets; else whoever the "
                 "mode lets."},
    {"signals", OPTION_STR_LIST, offsetof(struct otlp_options, signals),
     .sentence =
         "traces, metrics, logs: what is taken in, each sent on as it is from a port of its "
         "name, and nothing is at the paths of the others; else traces, and what `metrics` "
         "and `logs` say, from one port."},
    {"metadata_headers", OPTION_STR_LIST, offsetof(struct otlp_options, metadata_headers),
     .sentence = "Headers (gRPC: metadata) that go with the data, by name in lower case: for "
                 "processor/route; a request that has one of them twice is refused."},
    {"metrics", OPTION_CHOICE, offsetof(struct otlp_options, metrics), "reject",
     .choices = metrics_names,
     .sentence = "What becomes of data points: rejected but for the flow ledger, or passed on."},
    {"logs", OPTION_CHOICE, offsetof(struct otlp_options, logs), "events", .choices = logs_names,
     .sentence = "What becomes of log records: those with an event name and a span become events "
                 "of spans and the others are rejected, or all are passed on as they are."},
    {"max_body", OPTION_BYTES, offsetof(struct otlp_options, max_body_bytes), "64MiB", .min = 1024,
     .max = UINT64_C(1) << 30,
     .sentence = "Largest request, packed and unpacked; beyond it 413, or RESOURCE_EXHAUSTED."},
    {"max_message", OPTION_BYTES, offsetof(struct otlp_options, max_message_bytes), "0",
     .max = UINT64_C(1) << 30, .sentence = "The same for gRPC alone; 0: max_body."},
    {"max_bodies", OPTION_BYTES, offsetof(struct otlp_options, max_bodies_bytes), "256MiB",
     .min = 1024, .max = UINT64_C(1) << 36,
     .sentence = "Memory for requests that are being received, each listener; beyond it 503, or "
                 "UNAVAILABLE with RetryInfo."},
    {"max_connection_bodies", OPTION_BYTES,
     offsetof(struct otlp_options, max_connection_bodies_bytes), "128MiB", .min = 1024,
     .max = UINT64_C(1) << 36, .sentence = "The same for one gRPC connection."},
    {"max_connections", OPTION_U64, offsetof(struct otlp_options, max_connections), "1024",
     .min = 1, .max = 65536,
     .sentence = "Connections at once, each listener; more wait to be accepted."},
    {"max_connections_per_ip", OPTION_U64, offsetof(struct otlp_options, max_connections_per_ip),
     "1024", .min = 1, .max = 65536,
     .sentence =
         "Connections at once of one address (IPv6: of one /64), each listener; more are closed."},
    {"max_header_bytes", OPTION_BYTES, offsetof(struct otlp_options, max_header_bytes), "16KiB",
     .min = 1024, .max = 32 * 1024,
     .sentence = "All header fields together; beyond it 431, or RESOURCE_EXHAUSTED."},
    {"max_headers", OPTION_U64, offsetof(struct otlp_options, max_headers), "100", .min = 8,
     .max = 1000, .sentence = "Number of header fields; beyond it 431, or RESOURCE_EXHAUSTED."},
    {"max_target", OPTION_BYTES, offsetof(struct otlp_options, max_target_bytes), "8KiB", .min = 64,
     .max = 32 * 1024, .sentence = "Path and query of an HTTP request; beyond it 414."},
    {"header_timeout", OPTION_DURATION, offsetof(struct otlp_options, header_timeout_ns), "10s",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S,
     .sentence = "For the head of a request, and for the preface of HTTP/2; beyond it 408, or the "
                 "end of the connection."},
    {"body_timeout", OPTION_DURATION, offsetof(struct otlp_options, body_timeout_ns), "30s",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S,
     .sentence = "For the next bytes of a request, or of an answer that is read; beyond it 408, or "
                 "DEADLINE_EXCEEDED."},
    {"min_body_rate", OPTION_BYTES, offsetof(struct otlp_options, min_body_rate_bytes), "1KiB",
     .min = 1, .max = UINT64_C(1) << 20,
     .sentence =
         "Bytes a second that a request must bring when it takes longer than body_timeout."},
    {"idle_timeout", OPTION_DURATION, offsetof(struct otlp_options, idle_timeout_ns), "60s",
     .min = FTRI_NS_PER_MS, .max = 24 * 3600 * FTRI_NS_PER_S,
     .sentence = "For a connection without a request; then it is closed."},
    {"max_streams", OPTION_U64, offsetof(struct otlp_options, max_streams), "100", .min = 1,
     .max = 10000,
     .sentence =
         "Calls at once on a gRPC connection; clients wait, and who does not is sent away."},
    {"max_resets", OPTION_U64, offsetof(struct otlp_options, max_resets), "1000", .min = 1,
     .max = 1000000,
     .sentence =
         "Streams that a gRPC connection may break in a row; beyond it GOAWAY(ENHANCE_YOUR_CALM)."},
    {"max_resets_per_s", OPTION_U64, offsetof(struct otlp_options, max_resets_per_s), "33",
     .min = 1, .max = 1000000, .sentence = "Broken streams that are forgiven a second."},
    {"max_control_frames", OPTION_U64, offsetof(struct otlp_options, max_control_frames), "1000",
     .min = 10, .max = 1000000,
     .sentence = "Frames without work that a gRPC connection may send in a row (PING, SETTINGS, "
                 "PRIORITY, empty DATA, unknown ones); beyond it GOAWAY(ENHANCE_YOUR_CALM)."},
    {"max_control_frames_per_s", OPTION_U64,
     offsetof(struct otlp_options, max_control_frames_per_s), "100", .min = 1, .max = 1000000,
     .sentence = "Such frames that are forgiven a second; each whole request forgives four more."},
    {"max_depth", OPTION_U64, offsetof(struct otlp_options, max_depth), "100", .min = 1, .max = 100,
     .sentence = "Levels of an attribute's value; beyond it 400, or INVALID_ARGUMENT."},
    {"max_attributes", OPTION_U64, offsetof(struct otlp_options, max_attributes), "1024", .min = 1,
     .max = 1000000,
     .sentence = "Attributes of a resource, scope, span, event, link, log record or data point; "
                 "beyond it 400, or INVALID_ARGUMENT."},
    {"max_events", OPTION_U64, offsetof(struct otlp_options, max_events), "8192", .min = 1,
     .max = 1000000, .sentence = "Events of a span; beyond it 400, or INVALID_ARGUMENT."},
    {"max_links", OPTION_U64, offsetof(struct otlp_options, max_links), "8192", .min = 1,
     .max = 1000000, .sentence = "Links of a span; beyond it 400, or INVALID_ARGUMENT."},
};

static size_t otlp_ports(const void *values, const char **ret_names, size_t limit)
{
    const struct otlp_options *options = values;
    size_t n = 0;
    for (; n < options->signals.n_items && n < limit; n++)
        ret_names[n] = options->signals.items[n];
    if (n == 0)
        ret_names[n++] = "out";
    return n;
}

static int check_addresses(const struct otlp_options *options, struct ftri_error *error)
{
    const char *const addresses[][2] = {
        {"grpc", options->grpc}, {"http", options->http}, {"unix", options->unix_socket}};
    int r = 0;
    if (strcmp(options->unix_socket, "off") != 0 && strncmp(options->unix_socket, "unix:", 5) != 0)
        return ftri_error_set(error, -EINVAL, "unix: expected unix:/path or unix:@name, not '%s'",
                              options->unix_socket);
    for (size_t i = 0; r == 0 && i < FTRI_COUNT(addresses); i++)
        if (strcmp(addresses[i][1], "off") != 0)
            r = listener_check(addresses[i][0], addresses[i][1], error);
    return r;
}

static int otlp_check(const void *values, struct ftri_error *error)
{
    const struct otlp_options *options = values;
    const struct option_list *signals = &options->signals;
    for (size_t i = 0; i < signals->n_items; i++) {
        if (!otlp_signal_find(signals->items[i]))
            return ftri_error_set(error, -EINVAL,
                                  "signals: '%.60s' is not one of traces, metrics, logs",
                                  signals->items[i]);
        for (size_t j = 0; j < i; j++)
            if (strcmp(signals->items[i], signals->items[j]) == 0)
                return ftri_error_set(error, -EINVAL, "signals: '%s' is there twice",
                                      signals->items[i]);
    }
    const int r = check_addresses(options, error);
    return r < 0 ? r : otlp_metadata_check(values, error);
}

struct otlp_request {
    struct ftri_list link;
    struct otlp_state *state;
    struct otlp_arrival arrival; /* peer NULL: it went away */
    uint64_t n_rejected;
};

void otlp_request_abandon(struct otlp_request *request)
{
    if (request)
        request->arrival.peer = NULL;
}

static void request_free(struct otlp_request *self)
{
    ftri_list_unlink(&self->link);
    ftri_free(self);
}

static void accept_request(const struct otlp_arrival *arrival, uint64_t n_rejected)
{
    const struct ftri_otlp_partial_success partial = {
        .n_rejected = n_rejected,
        .message = ftr_str_from(n_rejected ? arrival->signal->refusal : "")};
    arrival->protocol->accept(arrival->peer, arrival->is_json, &partial);
}

static void refuse_retryably(const struct otlp_arrival *arrival, const char *reason)
{
    arrival->protocol->refuse_retryably(arrival->peer, arrival->is_json, reason);
}

static void refuse_content(const struct otlp_arrival *arrival, int status,
                           const struct ftri_otlp_error *error)
{
    char message[384];
    char place[40] = "";
    if (status != -EBADMSG) {
        refuse_retryably(arrival, "memory is short");
        return;
    }
    if (error->offset != OTLP_NO_OFFSET)
        snprintf(place, sizeof place, " (at byte %zu)", error->offset);
    snprintf(message, sizeof message, "%s%s%s%s", error->path, error->path[0] ? ": " : "",
             error->reason, place);
    arrival->protocol->refuse(arrival->peer, arrival->is_json, message);
}

/* What the receiver takes in and does not send on counts in its account, with a reason. */
static void reject_all(struct otlp_state *state, const struct otlp_arrival *arrival,
                       uint64_t n_rejected)
{
    struct pdata *pdata = node_ingest(state->node, arrival->signal->signal, NULL, false, 0);
    if (!pdata) {
        refuse_retryably(arrival, "memory is short");
        return;
    }
    pdata->n_items = n_rejected;
    node_drop(state->node, pdata, FTR_DROP_NO_ROUTE);
    accept_request(arrival, n_rejected);
}

/* Takes over payload and metadata; on failure nothing was taken. */
static int send_on(struct otlp_request *request, const struct otlp_content *content,
                   struct ftri_payload *metadata, uint64_t received_ns)
{
    struct otlp_state *state = request->state;
    const struct otlp_options *options = node_options(state->node);
    const struct otlp_signal *signal = request->arrival.signal;
    struct pdata *pdata =
        node_ingest(state->node, content->signal, NULL, true, (uint64_t)(uintptr_t)request);
    if (!pdata)
        return -ENOMEM;
    ftri_list_append(&state->requests, &request->link);
    request->arrival.protocol->hold(request->arrival.peer, request);
    pdata_set_otlp(pdata, content->payload, content->n_items + content->n_rejected);
    pdata_set_metadata(pdata, metadata);
    pdata->received_ns = received_ns;
    pdata->is_untraced = content->is_ledger;
    node_drop_items(state->node, pdata, FTR_DROP_NO_ROUTE, content->n_rejected);
    pdata->n_items = content->n_items;
    node_send(state->node, options->signals.n_items ? node_port(state->node, signal->name) : 0,
              pdata);
    return 0;
}

/* False: answered. */
static bool read_metadata(const struct otlp_state *state, const struct otlp_arrival *arrival,
                          struct ftri_payload **ret_metadata)
{
    char problem[192];
    const int r = otlp_metadata_read(node_options(state->node), arrival, ret_metadata, problem,
                                     sizeof problem);
    if (r == -EBADMSG)
        arrival->protocol->refuse(arrival->peer, arrival->is_json, problem);
    else if (r < 0)
        refuse_retryably(arrival, "memory is short");
    return r == 0;
}

/* Takes over payload and metadata. */
static void ingest(struct otlp_state *state, const struct otlp_arrival *arrival,
                   const struct otlp_content *content, struct ftri_payload *metadata,
                   uint64_t received_ns)
{
    struct otlp_request *request = ftri_alloc(sizeof *request);
    if (request)
        *request = (struct otlp_request){
            .state = state, .arrival = *arrival, .n_rejected = content->n_rejected};
    if (request && send_on(request, content, metadata, received_ns) == 0)
        return;
    ftri_free(request);
    ftri_payload_unref(content->payload);
    ftri_payload_unref(metadata);
    refuse_retryably(arrival, "memory is short");
}

/* NULL: it may be taken in. */
static const char *reason_to_wait(const struct otlp_state *state)
{
    if (state->is_draining)
        return "the collector is shutting down";
    return node_can_send(state->node) ? NULL : "too many requests are in progress";
}

static bool is_passed(const struct otlp_options *options, const struct otlp_signal *signal)
{
    return options->signals.n_items ||
           (signal->signal == FTR_SIGNAL_METRICS && options->metrics == METRICS_PASS) ||
           (signal->signal == FTR_SIGNAL_LOGS && options->logs == LOGS_PASS);
}

static void take(struct otlp_state *state, const struct otlp_arrival *arrival,
                 struct ftri_bytes *bytes)
{
    struct ftri_otlp_error error = {0};
    struct otlp_content content = {0};
    struct ftri_payload *metadata = NULL;
    const uint64_t received_ns = ftri_time_wall_ns();
    const struct otlp_options *options = node_options(state->node);
    const struct otlp_body body = {
        .bytes = bytes,
        .is_json = arrival->is_json,
        .is_passed = is_passed(options, arrival->signal),
        .received_ns = received_ns,
        .max_bytes = options->max_body_bytes,
        .limits = {options->max_depth, options->max_attributes, options->max_events,
                   options->max_links},
    };
    if (!read_metadata(state, arrival, &metadata))
        return;
    const int r = otlp_content_read(arrival->signal, &body, &content, &error);
    state->n_null_numbers += content.n_null_numbers;
    if (r == 0 && content.payload) {
        ingest(state, arrival, &content, metadata, received_ns);
        return;
    }
    ftri_payload_unref(metadata);
    if (r < 0)
        refuse_content(arrival, r, &error);
    else if (content.n_rejected)
        reject_all(state, arrival, content.n_rejected);
    else
        accept_request(arrival, 0);
}

bool otlp_serves(const struct otlp_state *state, const struct otlp_signal *signal)
{
    const struct otlp_options *options = node_options(state->node);
    return !options->signals.n_items ||
           node_port(state->node, signal->name) < node_n_ports(state->node);
}

void otlp_take(struct otlp_state *state, const struct otlp_arrival *arrival,
               struct ftri_bytes *bytes)
{
    const char *reason = reason_to_wait(state);
    if (reason)
        refuse_retryably(arrival, reason);
    else
        take(state, arrival, bytes);
    ftri_bytes_deinit(bytes);
}

void otlp_announce(struct node *node, const char *protocol, const char *address)
{
    struct nodes_environment *environment = node_environment(node);
    if (!environment || environment->n_listeners >= NODES_LISTENERS_MAX || node_loop_index(node))
        return;
    snprintf(environment->listeners[environment->n_listeners++], sizeof environment->listeners[0],
             "%s listening on %s", protocol, address);
}

bool otlp_listens(const struct node *node, const char *first, const char **address)
{
    const bool is_first = node_loop_index(node) == 0;
    if (strcmp(*address, "off") == 0)
        return false;
    if (is_first)
        return true;
    if (!first || strncmp(*address, "unix:", 5) == 0)
        return false;
    *address = first;
    return true;
}

int otlp_check_reach(struct node *node, const char *option, const char *address,
                     struct ftri_error *error)
{
    const struct nodes_environment *environment = node_environment(node);
    return listener_check_reach(option, address, environment && environment->is_insecure, error);
}

static void close_servers(struct otlp_state *state)
{
    grpc_server_close(state->grpc);
    http_server_close(state->http);
    http_server_close(state->unix_http);
}

static int otlp_start(struct node *node, struct ftri_error *error)
{
    struct otlp_state *state = node_state(node);
    const struct otlp_options *options = node_options(node);
    state->node = node;
    ftri_list_init(&state->requests);
    int r = otlp_socket_access(state, options, error);
    if (r == 0)
        r = otlp_grpc_open(state, options, error);
    if (r == 0)
        r = otlp_http_open(state, options, error);
    if (r < 0)
        close_servers(state);
    return r;
}

static void answer(const struct otlp_request *request, const struct result *result)
{
    const struct otlp_arrival *arrival = &request->arrival;
    if (!arrival->peer)
        return;
    if (!result || result->is_ack)
        accept_request(arrival, request->n_rejected);
    else if (result->is_permanent)
        arrival->protocol->refuse(arrival->peer, arrival->is_json, result->reason);
    else
        refuse_retryably(arrival, result->reason);
}

static void drain(struct otlp_state *state)
{
    state->is_draining = true;
    if (state->grpc)
        grpc_server_drain(state->grpc);
    if (state->http)
        http_server_drain(state->http);
    if (state->unix_http)
        http_server_drain(state->unix_http);
}

static void otlp_control(struct node *node, const struct control *message)
{
    struct otlp_state *state = node_state(node);
    switch (message->kind) {
    case CONTROL_ACK:
    case CONTROL_NACK: {
        struct otlp_request *request = (struct otlp_request *)(uintptr_t)message->calldata;
        answer(request, message->result);
        request_free(request);
        break;
    }
    case CONTROL_DRAIN_INGRESS:
        drain(state);
        break;
    default:
        break;
    }
    if (state->is_draining && ftri_list_is_empty(&state->requests))
        node_drained(node);
}

static void otlp_stop(struct node *node)
{
    struct otlp_state *state = node_state(node);
    close_servers(state);
    while (!ftri_list_is_empty(&state->requests))
        request_free(FTRI_CONTAINER(state->requests.next, struct otlp_request, link));
}

const struct node_class receiver_otlp = {
    .type = "receiver/otlp",
    .kind = FTR_NODE_RECEIVER,
    .sentence = "Takes in OTLP: spans, and log records that are events of spans; gRPC, and HTTP as "
                "protobuf or JSON; plain or packed; TCP or Unix sockets.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct otlp_options)},
    .state_size = sizeof(struct otlp_state),
    .configured_ports = otlp_ports,
    .check = otlp_check,
    .start = otlp_start,
    .control = otlp_control,
    .stop = otlp_stop,
};
