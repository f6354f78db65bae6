/* SPDX-License-Identifier: Apache-2.0
 *
 * receiver/otlp: a request becomes one pdata of checked OTLP bytes and is answered when its outcome
 * is known: accepted when every node below accepted it (in `flowtrace serve`: when it is in the
 * write-ahead log), refused retryably when it may be sent again, refused with the field's name when
 * it never can be. Metrics, and log records that are no events of a span, are accepted with partial
 * success that says how many were rejected, and why; they are dropped in the node's account. */
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
#include "nodes/receivers/otlp_signal.h"
#include "nodes/receivers/receivers.h"
#include "otlp/response.h"
#include "otlp/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct option rows[] = {
    {"grpc", OPTION_STR, offsetof(struct otlp_options, grpc), "127.0.0.1:4317",
     .sentence = "Address and port of OTLP over gRPC; port 0 picks one; off: no listener."},
    {"http", OPTION_STR, offsetof(struct otlp_options, http), "127.0.0.1:4318",
     .sentence = "Address and port of OTLP over HTTP; port 0 picks one; off: no listener."},
    {"max_body", OPTION_BYTES, offsetof(struct otlp_options, max_body_bytes), "64MiB", .min = 1024,
     .max = UINT64_C(1) << 30,
     .sentence = "Largest request, after decompression; beyond it 413, or RESOURCE_EXHAUSTED."},
    {"max_connections", OPTION_U64, offsetof(struct otlp_options, max_connections), "1024",
     .min = 1, .max = 65536,
     .sentence = "Connections at once, each protocol; more wait to be accepted."},
};

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
    if (status != -EBADMSG) {
        refuse_retryably(arrival, "memory is short");
        return;
    }
    snprintf(message, sizeof message, "%s%s%s (at byte %zu)", error->path,
             error->path[0] ? ": " : "", error->reason, error->offset);
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

/* Takes over the payload; on failure nothing was taken. */
static int send_on(struct otlp_request *request, const struct otlp_content *content,
                   uint64_t received_ns)
{
    struct otlp_state *state = request->state;
    struct pdata *pdata =
        node_ingest(state->node, FTR_SIGNAL_TRACES, NULL, true, (uint64_t)(uintptr_t)request);
    if (!pdata)
        return -ENOMEM;
    ftri_list_append(&state->requests, &request->link);
    request->arrival.protocol->hold(request->arrival.peer, request);
    pdata_set_otlp(pdata, content->payload, content->n_items + content->n_rejected);
    pdata->received_ns = received_ns;
    node_drop_items(state->node, pdata, FTR_DROP_NO_ROUTE, content->n_rejected);
    pdata->n_items = content->n_items;
    node_send(state->node, 0, pdata);
    return 0;
}

/* Takes over the payload. */
static void ingest(struct otlp_state *state, const struct otlp_arrival *arrival,
                   const struct otlp_content *content, uint64_t received_ns)
{
    struct otlp_request *request = ftri_alloc(sizeof *request);
    if (request)
        *request = (struct otlp_request){
            .state = state, .arrival = *arrival, .n_rejected = content->n_rejected};
    if (request && send_on(request, content, received_ns) == 0)
        return;
    ftri_free(request);
    ftri_payload_unref(content->payload);
    refuse_retryably(arrival, "memory is short");
}

/* NULL: it may be taken in. */
static const char *reason_to_wait(const struct otlp_state *state)
{
    if (state->is_draining)
        return "the collector is shutting down";
    return node_can_send(state->node) ? NULL : "too many requests are in progress";
}

static void take(struct otlp_state *state, const struct otlp_arrival *arrival,
                 struct ftri_bytes *bytes)
{
    struct ftri_otlp_error error = {0};
    struct otlp_content content = {0};
    const uint64_t received_ns = ftri_time_wall_ns();
    const int r =
        otlp_content_read(arrival->signal, arrival->is_json, bytes, received_ns, &content, &error);
    state->n_null_numbers += content.n_null_numbers;
    if (r < 0)
        refuse_content(arrival, r, &error);
    else if (content.payload)
        ingest(state, arrival, &content, received_ns);
    else if (content.n_rejected)
        reject_all(state, arrival, content.n_rejected);
    else
        accept_request(arrival, 0);
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
    if (!environment || environment->n_listeners >= NODES_LISTENERS_MAX)
        return;
    snprintf(environment->listeners[environment->n_listeners++], sizeof environment->listeners[0],
             "%s listening on %s", protocol, address);
}

int otlp_check_reach(struct node *node, const char *option, const char *address,
                     struct ftri_error *error)
{
    const struct nodes_environment *environment = node_environment(node);
    struct listener_address parsed;
    const int r = listener_parse(address, &parsed, error);
    if (r < 0 || listener_is_local(&parsed) || (environment && environment->is_insecure))
        return r;
    return ftri_error_set(error, -EACCES,
                          "%s: other machines could reach %s, and there is no authentication; "
                          "use a loopback address, or --insecure",
                          option, address);
}

static int otlp_start(struct node *node, struct ftri_error *error)
{
    struct otlp_state *state = node_state(node);
    const struct otlp_options *options = node_options(node);
    int r = 0;
    state->node = node;
    ftri_list_init(&state->requests);
    if (strcmp(options->grpc, "off") != 0)
        r = otlp_grpc_open(state, options, error);
    if (r == 0 && strcmp(options->http, "off") != 0)
        r = otlp_http_open(state, options, error);
    if (r < 0)
        grpc_server_close(state->grpc);
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
    grpc_server_close(state->grpc);
    http_server_close(state->http);
    while (!ftri_list_is_empty(&state->requests))
        request_free(FTRI_CONTAINER(state->requests.next, struct otlp_request, link));
}

const struct node_class receiver_otlp = {
    .type = "receiver/otlp",
    .kind = FTR_NODE_RECEIVER,
    .sentence =
        "Takes in OTLP: spans, and log records that are events of spans; over gRPC and HTTP.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct otlp_options)},
    .state_size = sizeof(struct otlp_state),
    .start = otlp_start,
    .control = otlp_control,
    .stop = otlp_stop,
};
