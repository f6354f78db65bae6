/* SPDX-License-Identifier: Apache-2.0
 *
 * exporter/http: POSTs batches as JSON lines (application/x-ndjson), several requests at once.
 *
 * 2xx settles the batch well; 429, 502, 503, 504 and no answer at all are retryable refusals (put
 * processor/retry in front); anything else is permanent. Transfers run on the client's thread, and
 * their answers come back on the graph's. */
#include "nodes/exporters/exporters.h"

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "engine/node.h"
#include "export/http_client.h"
#include "nodes/exporters/lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct http_options {
    const char *url;
    uint64_t timeout_ns;
    uint64_t max_in_flight;
};

static const struct option rows[] = {
    {"url", OPTION_STR, offsetof(struct http_options, url), .is_required = true,
     .sentence = "Where batches are POSTed."},
    {"timeout", OPTION_DURATION, offsetof(struct http_options, timeout_ns), "10s",
     .min = FTRI_NS_PER_MS, .max = 3600 * FTRI_NS_PER_S, .sentence = "For one request."},
    {"max_in_flight", OPTION_U64, offsetof(struct http_options, max_in_flight), "4", .min = 1,
     .max = 1024, .sentence = "Requests at once; then the channel above fills."},
};

enum { ANSWER_LIMIT_BYTES = 64 * 1024 };

struct http_state {
    struct node *node;
    struct ftri_http_client *client;
    struct ftri_list transfers; /* under way */
    uint64_t n_in_flight;
};

struct transfer {
    struct ftri_list link;
    struct http_state *state;
    struct pdata *pdata;
    struct ftri_bytes body;
};

static void on_answers(void *argument)
{
    node_wakeup(argument);
}

static int http_check(const void *values, struct ftri_error *error)
{
    const struct http_options *options = values;
    if (strncmp(options->url, "http://", 7) != 0 && strncmp(options->url, "https://", 8) != 0)
        return ftri_error_set(error, -EINVAL, "url: expected http://... or https://..., not '%s'",
                              options->url);
    return 0;
}

static int http_start(struct node *node, struct ftri_error *error)
{
    struct http_state *state = node_state(node);
    const struct http_options *options = node_options(node);
    state->node = node;
    ftri_list_init(&state->transfers);
    const int r = ftri_http_client_new((size_t)options->max_in_flight, ANSWER_LIMIT_BYTES,
                                       on_answers, node, &state->client);
    return r < 0 ? ftri_error_errno(error, r, "starting the HTTP client") : 0;
}

static void transfer_free(struct transfer *self)
{
    const struct http_options *options = node_options(self->state->node);
    if (self->state->n_in_flight-- == options->max_in_flight)
        node_set_accepting(self->state->node, true);
    ftri_list_unlink(&self->link);
    ftri_bytes_deinit(&self->body);
    ftri_free(self);
}

static bool is_retryable(int status)
{
    return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

static void on_answer(void *argument, const struct ftri_http_answer *answer)
{
    struct transfer *transfer = argument;
    struct node *node = transfer->state->node;
    struct pdata *pdata = transfer->pdata;
    const ftr_attribute status = {FTR_STR("http.response.status_code"),
                                  ftr_value_i64(answer->status)};
    transfer_free(transfer);
    if (answer->status >= 200 && answer->status < 300) {
        node_event(node, pdata, "export_success", &status, 1);
        node_ack(node, pdata);
        return;
    }
    struct result result = {.is_permanent = !is_retryable(answer->status),
                            .retry_after_ns = answer->retry_after_ns};
    if (answer->status)
        snprintf(result.reason, sizeof result.reason, "the server answered %d", answer->status);
    else
        snprintf(result.reason, sizeof result.reason, "%.120s", answer->error);
    node_nack(node, pdata, &result);
}

static int send_batch(struct http_state *state, struct transfer *transfer)
{
    static const char *const headers[] = {"Content-Type: application/x-ndjson", NULL};
    const struct http_options *options = node_options(state->node);
    const int r = lines_write(transfer->pdata, &transfer->body);
    if (r < 0)
        return r;
    const struct ftri_http_request request = {
        .method = "POST",
        .url = options->url,
        .headers = headers,
        .body = ftri_bytes_view(&transfer->body),
        .timeout_ns = options->timeout_ns,
    };
    return ftri_http_client_send(state->client, &request, on_answer, transfer);
}

static void http_consume(struct node *node, struct pdata *pdata)
{
    struct http_state *state = node_state(node);
    const struct http_options *options = node_options(node);
    struct transfer *transfer = ftri_alloc(sizeof *transfer);
    int r = -ENOMEM;
    if (transfer) {
        *transfer = (struct transfer){.state = state, .pdata = pdata};
        ftri_bytes_init(&transfer->body, SIZE_MAX / 2);
        ftri_list_append(&state->transfers, &transfer->link);
        state->n_in_flight++;
        r = send_batch(state, transfer);
        if (r < 0)
            transfer_free(transfer);
    }
    if (r < 0) {
        struct result result = {.is_permanent = false};
        char text[96];
        snprintf(result.reason, sizeof result.reason, "sending: %s",
                 strerror_r(-r, text, sizeof text));
        node_nack(node, pdata, &result);
    } else if (state->n_in_flight >= options->max_in_flight) {
        node_set_accepting(node, false);
    }
}

static void http_control(struct node *node, const struct control *message)
{
    struct http_state *state = node_state(node);
    if (message->kind == CONTROL_WAKEUP)
        ftri_http_client_collect(state->client);
}

static void http_stop(struct node *node)
{
    struct http_state *state = node_state(node);
    ftri_http_client_free(state->client);
    while (!ftri_list_is_empty(&state->transfers))
        transfer_free(FTRI_CONTAINER(state->transfers.next, struct transfer, link));
}

const struct node_class exporter_http = {
    .type = "exporter/http",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "POSTs records and telemetry to a server as JSON lines.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct http_options)},
    .state_size = sizeof(struct http_state),
    .check = http_check,
    .start = http_start,
    .consume = http_consume,
    .control = http_control,
    .stop = http_stop,
};
