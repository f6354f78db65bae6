/* SPDX-License-Identifier: Apache-2.0
 *
 * exporter/otlp: sends the bytes of a batch as they are to an OTLP receiver, several requests at
 * once; traces, metrics and logs each to their own path or service.
 *
 * What the destination takes settles the batch well; items that it rejects (partial success) count
 * as dropped (rejected). What the specification calls retryable, and no answer, is a retryable
 * refusal with the delay that was asked for (put processor/retry in front); anything else is
 * permanent. Transfers run on the client's thread, their answers come back on the graph's. */
#include "nodes/exporters/exporters.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/payload.h"
#include "base/time.h"
#include "export/http_client.h"
#include "export/otlp_call.h"
#include "export/otlp_message.h"
#include "export/otlp_verdict.h"
#include "nodes/intake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct otlp_exporter_options {
    const char *endpoint;
    const char *endpoints[FTRI_OTLP_N_SIGNALS];
    int protocol;    /* ftr_otlp_protocol, by the order of the names */
    int compression; /* ftr_otlp_compression */
    bool is_insecure;
    const char *headers;
    const char *certificate;
    const char *client_certificate;
    const char *client_key;
    uint64_t timeout_ns;
    uint64_t max_in_flight;
};

static const char *const protocol_names[] = {"http/protobuf", "http/json", "grpc", NULL};
static const ftr_otlp_protocol protocols[] = {FTR_OTLP_HTTP_PROTOBUF, FTR_OTLP_HTTP_JSON,
                                              FTR_OTLP_GRPC};
static const char *const compression_names[] = {"none", "gzip", "zstd", NULL};
static const ftr_otlp_compression compressions[] = {FTR_OTLP_PLAIN, FTR_OTLP_GZIP, FTR_OTLP_ZSTD};

#define AT(member) offsetof(struct otlp_exporter_options, member)

static const struct option rows[] = {
    {"endpoint", OPTION_STR, AT(endpoint), "",
     .sentence = "Base URL: http://, https:// or unix:///path of a socket; the signal's path is "
                 "added. grpc: also host:port. Required, but for signals that have their own."},
    {"traces_endpoint", OPTION_STR, AT(endpoints[FTRI_OTLP_TRACES]), "",
     .sentence = "Whole URL for traces; not with grpc."},
    {"metrics_endpoint", OPTION_STR, AT(endpoints[FTRI_OTLP_METRICS]), "",
     .sentence = "Whole URL for metrics; not with grpc."},
    {"logs_endpoint", OPTION_STR, AT(endpoints[FTRI_OTLP_LOGS]), "",
     .sentence = "Whole URL for logs; not with grpc."},
    {"protocol", OPTION_CHOICE, AT(protocol), "http/protobuf", .choices = protocol_names,
     .sentence = "How OTLP is spoken."},
    {"compression", OPTION_CHOICE, AT(compression), "none", .choices = compression_names,
     .sentence = "Of requests."},
    {"insecure", OPTION_BOOL, AT(is_insecure), "false", .sentence = "grpc with host:port: no TLS."},
    {"headers", OPTION_STR, AT(headers), "", .is_secret = true,
     .sentence = "name=value,name=value; values percent-encoded."},
    {"certificate", OPTION_STR, AT(certificate), "",
     .sentence = "PEM file of the authorities to trust; empty: the system's."},
    {"client_certificate", OPTION_STR, AT(client_certificate), "", .sentence = "PEM file."},
    {"client_key", OPTION_STR, AT(client_key), "", .sentence = "PEM file."},
    {"timeout", OPTION_DURATION, AT(timeout_ns), "10s", .min = FTRI_NS_PER_MS,
     .max = 3600 * FTRI_NS_PER_S, .sentence = "For one request."},
    {"max_in_flight", OPTION_U64, AT(max_in_flight), "4", .min = 1, .max = 1024,
     .sentence = "Requests at once; then the channel above fills."},
};

struct otlp_exporter_state {
    struct node *node;
    struct ftri_http_client *client;
    struct ftri_otlp_settings settings[FTRI_OTLP_N_SIGNALS];
    struct ftri_bytes unpacked; /* an answer */
    struct ftri_list transfers; /* under way */
    uint64_t n_in_flight;
};

struct transfer {
    struct ftri_list link;
    struct otlp_exporter_state *state;
    struct pdata *pdata;
    struct ftri_otlp_message message;
    struct ftri_otlp_call call;
};

/* A signal without one keeps url NULL. */
static int read_endpoint(const struct otlp_exporter_options *options,
                         struct ftri_otlp_settings *settings, struct ftri_error *error)
{
    static const char *const names[] = {"traces_endpoint", "metrics_endpoint", "logs_endpoint"};
    const char *own = options->endpoints[settings->signal];
    if (own[0] && settings->protocol == FTR_OTLP_GRPC)
        return ftri_error_set(error, -EINVAL, "%s: not with protocol grpc",
                              names[settings->signal]);
    if (own[0])
        return ftri_otlp_settings_endpoint(settings, names[settings->signal], ftr_str_from(own),
                                           error);
    if (options->endpoint[0])
        return ftri_otlp_settings_base(settings, "endpoint", ftr_str_from(options->endpoint),
                                       error);
    return 0;
}

static int read_settings(const struct otlp_exporter_options *options, enum ftri_otlp_signal signal,
                         struct ftri_otlp_settings *settings, struct ftri_error *error)
{
    const struct {
        enum ftri_otlp_file_kind kind;
        const char *name, *path;
    } files[] = {
        {FTRI_OTLP_CERTIFICATE, "certificate", options->certificate},
        {FTRI_OTLP_CLIENT_CERTIFICATE, "client_certificate", options->client_certificate},
        {FTRI_OTLP_CLIENT_KEY, "client_key", options->client_key},
    };
    settings->signal = signal;
    settings->protocol = protocols[options->protocol];
    settings->compression = compressions[options->compression];
    settings->is_insecure = options->is_insecure;
    int r = read_endpoint(options, settings, error);
    if (r == 0)
        r = ftri_otlp_settings_headers(settings, "headers", ftr_str_from(options->headers), error);
    for (size_t i = 0; r == 0 && i < FTRI_COUNT(files); i++)
        r = ftri_otlp_settings_file(settings, files[i].kind, files[i].name,
                                    ftr_str_from(files[i].path), error);
    return r;
}

static int otlp_check(const void *values, struct ftri_error *error)
{
    bool has_endpoint = false;
    int r = 0;
    for (size_t i = 0; r == 0 && i < FTRI_OTLP_N_SIGNALS; i++) {
        struct ftri_otlp_settings settings;
        ftri_otlp_settings_init(&settings);
        r = read_settings(values, (enum ftri_otlp_signal)i, &settings, error);
        has_endpoint = has_endpoint || settings.url;
        ftri_otlp_settings_deinit(&settings);
    }
    return r < 0 || has_endpoint ? r : ftri_error_set(error, -EINVAL, "'endpoint' is required");
}

static void on_answers(void *argument)
{
    node_wakeup(argument);
}

static void deinit_settings(struct otlp_exporter_state *state)
{
    for (size_t i = 0; i < FTRI_OTLP_N_SIGNALS; i++)
        ftri_otlp_settings_deinit(&state->settings[i]);
}

static int otlp_start(struct node *node, struct ftri_error *error)
{
    struct otlp_exporter_state *state = node_state(node);
    const struct otlp_exporter_options *options = node_options(node);
    state->node = node;
    ftri_list_init(&state->transfers);
    ftri_bytes_init(&state->unpacked, FTRI_OTLP_ANSWER_BYTES);
    int r = 0;
    for (size_t i = 0; i < FTRI_OTLP_N_SIGNALS; i++) {
        ftri_otlp_settings_init(&state->settings[i]);
        if (r == 0)
            r = read_settings(options, (enum ftri_otlp_signal)i, &state->settings[i], error);
    }
    if (r == 0)
        r = ftri_otlp_settings_check_files(&state->settings[0], error);
    if (r == 0) {
        r = ftri_http_client_new((size_t)options->max_in_flight, FTRI_OTLP_ANSWER_BYTES, on_answers,
                                 node, &state->client);
        if (r < 0)
            (void)ftri_error_errno(error, r, "starting the HTTP client");
    }
    if (r < 0)
        deinit_settings(state);
    return r;
}

static void transfer_free(struct transfer *self)
{
    const struct otlp_exporter_options *options = node_options(self->state->node);
    if (self->state->n_in_flight-- == options->max_in_flight)
        node_set_accepting(self->state->node, true);
    ftri_list_unlink(&self->link);
    ftri_otlp_message_deinit(&self->message);
    ftri_free(self);
}

static void accept(struct node *node, struct pdata *pdata, const struct ftri_otlp_answer *answer)
{
    const uint64_t n_rejected =
        answer->n_rejected < pdata->n_items ? answer->n_rejected : pdata->n_items;
    const ftr_attribute attributes[] = {
        {FTR_STR("rejected_items"), ftr_value_i64((int64_t)n_rejected)},
        {FTR_STR("message"), ftr_value_str(ftr_str_from(answer->text))},
    };
    if (n_rejected) {
        log_write(LOG_LEVEL_WARNING, "exporter/otlp '%s': %llu items were rejected: %s",
                  node_id(node), (unsigned long long)n_rejected, answer->text);
        node_drop_items(node, pdata, FTR_DROP_REJECTED, n_rejected);
        pdata->n_items -= n_rejected;
    }
    const bool has_to_say = n_rejected || answer->text[0];
    node_event(node, pdata, has_to_say ? "export_partial_success" : "export_success", attributes,
               has_to_say ? FTRI_COUNT(attributes) : 0);
    node_ack(node, pdata);
}

static void refuse(struct node *node, struct pdata *pdata, const struct ftri_otlp_verdict *verdict)
{
    const char *text = verdict->answer.text;
    struct result result = {.is_permanent = verdict->kind == FTRI_OTLP_REFUSED,
                            .retry_after_ns = verdict->answer.retry_delay_ns};
    snprintf(result.reason, sizeof result.reason, "%s%s%.76s", verdict->reason,
             verdict->reason[0] && text[0] ? ": " : "", text);
    node_nack(node, pdata, &result);
}

static void on_answer(void *argument, const struct ftri_http_answer *answer)
{
    struct transfer *transfer = argument;
    struct otlp_exporter_state *state = transfer->state;
    struct pdata *pdata = transfer->pdata;
    struct ftri_otlp_verdict verdict;
    ftri_otlp_call_judge(&transfer->call, answer->result, answer, &state->unpacked, &verdict);
    transfer_free(transfer);
    if (verdict.kind == FTRI_OTLP_ACCEPTED)
        accept(state->node, pdata, &verdict.answer);
    else
        refuse(state->node, pdata, &verdict);
}

static enum ftri_otlp_signal signal_of(const struct pdata *pdata)
{
    return pdata->signal == FTR_SIGNAL_METRICS ? FTRI_OTLP_METRICS
           : pdata->signal == FTR_SIGNAL_LOGS  ? FTRI_OTLP_LOGS
                                               : FTRI_OTLP_TRACES;
}

static int send_batch(struct otlp_exporter_state *state, struct transfer *transfer)
{
    const struct otlp_exporter_options *options = node_options(state->node);
    const struct ftri_otlp_settings *settings = &state->settings[signal_of(transfer->pdata)];
    struct ftri_http_request request;
    struct ftri_otlp_body body;
    const int r = ftri_otlp_message_write(&transfer->message, settings,
                                          ftri_payload_view(transfer->pdata->otlp), &body);
    if (r < 0)
        return r;
    ftri_otlp_call_init(&transfer->call, settings);
    ftri_otlp_call_begin(&transfer->call, &body, options->timeout_ns, &request);
    return ftri_http_client_send(state->client, &request, on_answer, transfer);
}

static void refuse_unsent(struct node *node, struct pdata *pdata, int r)
{
    struct result result = {.is_permanent = r == -EMSGSIZE};
    char text[96];
    snprintf(result.reason, sizeof result.reason, "sending: %s",
             r == -EMSGSIZE ? "the batch is larger than 64 MiB"
                            : strerror_r(-r, text, sizeof text));
    node_nack(node, pdata, &result);
}

/* False: it was refused for good and is gone. */
static bool has_endpoint(struct node *node, struct pdata *pdata)
{
    const struct otlp_exporter_state *state = node_state(node);
    static const struct result result = {.is_permanent = true,
                                         .reason = "there is no endpoint for this signal"};
    if (state->settings[signal_of(pdata)].url)
        return true;
    node_nack(node, pdata, &result);
    return false;
}

static void otlp_consume(struct node *node, struct pdata *pdata)
{
    struct otlp_exporter_state *state = node_state(node);
    const struct otlp_exporter_options *options = node_options(node);
    if (!intake_is_telemetry(node, pdata) || !has_endpoint(node, pdata))
        return;
    struct transfer *transfer = ftri_alloc(sizeof *transfer);
    if (!transfer) {
        refuse_unsent(node, pdata, -ENOMEM);
        return;
    }
    transfer->state = state;
    transfer->pdata = pdata;
    ftri_otlp_message_init(&transfer->message);
    ftri_list_init(&transfer->link);
    ftri_list_append(&state->transfers, &transfer->link);
    state->n_in_flight++;
    const int r = send_batch(state, transfer);
    if (r < 0) {
        transfer_free(transfer);
        refuse_unsent(node, pdata, r);
    } else if (state->n_in_flight >= options->max_in_flight) {
        node_set_accepting(node, false);
    }
}

static void otlp_control(struct node *node, const struct control *message)
{
    struct otlp_exporter_state *state = node_state(node);
    if (message->kind == CONTROL_WAKEUP)
        ftri_http_client_collect(state->client);
}

static void otlp_stop(struct node *node)
{
    struct otlp_exporter_state *state = node_state(node);
    ftri_http_client_free(state->client);
    while (!ftri_list_is_empty(&state->transfers))
        transfer_free(FTRI_CONTAINER(state->transfers.next, struct transfer, link));
    ftri_bytes_deinit(&state->unpacked);
    deinit_settings(state);
}

const struct node_class exporter_otlp = {
    .type = "exporter/otlp",
    .kind = FTR_NODE_EXPORTER,
    .sentence = "Sends traces, metrics and logs to an OTLP receiver.",
    .options = {rows, FTRI_COUNT(rows), sizeof(struct otlp_exporter_options)},
    .state_size = sizeof(struct otlp_exporter_state),
    .check = otlp_check,
    .start = otlp_start,
    .consume = otlp_consume,
    .control = otlp_control,
    .stop = otlp_stop,
};
